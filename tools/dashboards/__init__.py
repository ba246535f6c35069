"""The four Grafana dashboards: one place that knows what they show, and writes deploy/grafana/dashboards/*.json."""
