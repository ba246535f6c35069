"""What lets a stranger see that nothing was changed since: the report key, manifests, PDF signatures, time stamps."""
