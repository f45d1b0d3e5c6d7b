"""Settings: loaded with positions, validated as a whole, diffed for reload."""

from s3o.config.advice import advise
from s3o.config.diff import ReloadPlan, plan_reload
from s3o.config.load import load, parse, settings_from
from s3o.config.problems import ConfigError, Problem
from s3o.config.secret import Secret
from s3o.config.settings import Settings

__all__ = [
    "ConfigError",
    "Problem",
    "ReloadPlan",
    "Secret",
    "Settings",
    "advise",
    "load",
    "parse",
    "plan_reload",
    "settings_from",
]
