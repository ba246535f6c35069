"""From legs to flow parts, and from flow parts to reasons. Pure: values in, values out."""

from monitor.attribute.explain import Rules, explain, mismatch
from monitor.attribute.flows import AttributionError, split

__all__ = ["AttributionError", "Rules", "explain", "mismatch", "split"]
