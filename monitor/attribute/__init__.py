"""From legs to flow parts, and from flow parts to reasons. Pure: values in, values out."""

from monitor.attribute.explain import Judgement, Rules, Sighting, explain
from monitor.attribute.flows import AttributionError, split

__all__ = ["AttributionError", "Judgement", "Rules", "Sighting", "explain", "split"]
