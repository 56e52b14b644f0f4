"""Extra rows for the teacher to label: made from the real ones, or collected without labels."""

from stackens.distillation.extra_rows._collect import collect_unlabeled
from stackens.distillation.extra_rows._distance_filter import keep_near
from stackens.distillation.extra_rows._join import join_rows
from stackens.distillation.extra_rows._known_rows import without_known_rows
from stackens.distillation.extra_rows._make_rows import make_rows

__all__ = ["collect_unlabeled", "join_rows", "keep_near", "make_rows", "without_known_rows"]
