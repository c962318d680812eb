"""What is kept of measurements when some sections are measured anew."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))
from figures import Table, tables_merge  # noqa: E402


def table(section, version, **figures):
    made = Table(f"About {section}")
    made.section, made.version = section, version
    made.add("gstage", figures)
    return made


def test_sections_measured_anew_replace_their_tables():
    old = [table("sizes", "v1", text=1), table("sizes", "v1", data=2), table("wall", "v1", call=3)]
    new = [table("lives", "v2", fork=4), table("sizes", "v2", text=5)]
    merged = tables_merge(old, new, ["sizes", "lives", "wall"])
    assert [(t.section, t.version) for t in merged] == [("sizes", "v2"), ("lives", "v2"), ("wall", "v1")]
    assert "Measured with v1." in merged[2].markdown("v2")
    assert "Measured with" not in merged[0].markdown("v2")


def test_kept_tables_come_back_as_they_were():
    one = table("lives", "v1", fork=None, call=2.5)
    one.troubles.append("fork: refused")
    back = Table.of(json.loads(json.dumps(one.data())))
    assert back.markdown("v2") == one.markdown("v2")
    assert "| fork |  |" in back.markdown() and "Not measured: fork: refused" in back.markdown()
