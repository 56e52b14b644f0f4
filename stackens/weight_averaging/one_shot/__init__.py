"""One-shot merging: networks trained apart, each at its site, become one without their data."""

from stackens.weight_averaging.one_shot._one_shot import one_shot_merge
from stackens.weight_averaging.one_shot._report import OneShotReport
from stackens.weight_averaging.one_shot._schema import InputSchema
from stackens.weight_averaging.one_shot._schemas import read_schema, save_schema
from stackens.weight_averaging.one_shot._sites import Site, read_sites, save_site

__all__ = [
    "InputSchema",
    "OneShotReport",
    "Site",
    "one_shot_merge",
    "read_schema",
    "read_sites",
    "save_schema",
    "save_site",
]
