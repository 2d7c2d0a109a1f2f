import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck.previews import NotPlain, Subject, render, render_whole

from strategies import LIMITS, ODD_TEXT, VALUES
