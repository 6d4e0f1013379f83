import json
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from mobilebench.errors import BadInputError
from mobilebench.records.run import read_run
from mobilebench.report import build
from mobilebench.store.folder import MANIFEST, PAGE, TABLE, TEXT, TRIALS, RunFolder

from tests.support.run_records import run_of

HOSTILE = "</style><script>alert(1)</script> | `x` \x1b[31m \u202e ${7*7} {{7*7}} $x^2$"


class Page(HTMLParser):
    """Collects what a browser would fetch or run, the text, and whether tags are balanced."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "wbr"})

    def __init__(self, text):
        super().__init__()
        self.fetched, self.scripts, self.open, self.words = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        for name in ("src", "href", "xlink:href", "data", "srcset", "action", "poster"):
            value = attributes.get(name)
            if value is not None and not value.startswith("#"):
                self.fetched.append(value)
        assert not any(name.startswith("on") for name in attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.words).append(data)


def page_of(folder):
    return Page(build(folder).read_text("utf-8"))


def test_rebuilding_gives_the_same_bytes(finished_run):
    build(finished_run)
    first = {name: (finished_run.path / name).read_bytes() for name in (PAGE, TEXT, TABLE)}
    build(RunFolder.open(finished_run.path))
    assert first == {name: (finished_run.path / name).read_bytes() for name in first}


def test_the_page_needs_nothing_but_itself(finished_run):
    text = build(finished_run).read_text("utf-8")
    page = Page(text)
    assert page.fetched == []
    assert page.open == []
    assert len(page.scripts) == 1
    for fetching in ("@import", "url(http", "url('http", "url(//", "fetch(", "XMLHttpRequest"):
        assert fetching not in text


def test_pictures_keep_their_text_and_follow_the_pages_colours(finished_run):
    text = build(finished_run).read_text("utf-8")
    assert text.count("<svg") == 5
    assert "Accuracy (%)" in text
    assert "var(--ink)" in text
    assert "#010203" not in text


def test_ids_that_pictures_refer_to_are_theirs_alone(finished_run):
    import re

    text = build(finished_run).read_text("utf-8")
    defined = re.findall(r' id="([^"]+)"', text)
    referred = re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', text)
    assert {a or b for a, b in referred} <= set(defined)
    assert len(defined) == len(set(defined))


def test_every_failure_and_warning_is_there(finished_run):
    words = " ".join(page_of(finished_run).words)
    assert "accuracy fell to chance" in words
    assert "the process was killed" in words
    assert "1 of 108 trials failed" in words


def test_hostile_strings_are_shown_and_never_run(make_run):
    folder = make_run()
    manifest = folder.run().document()
    for part in ("models", "devices", "runtimes"):
        manifest[part][0]["name"] = HOSTILE
    manifest["suite"]["name"] = HOSTILE
    manifest["devices"][0]["info"] = {HOSTILE: HOSTILE}
    manifest["warnings"] = [HOSTILE]
    manifest["failures"][0]["reason"] = HOSTILE
    manifest["artifacts"][0]["warnings"] = [HOSTILE]
    for part in ("artifacts", "failures", "plan"):
        for entry in manifest[part]:
            if entry["model"] == "digits":
                entry.update(model=HOSTILE, recipe=entry["recipe"] + HOSTILE)
            if part == "plan":
                entry.update(device=HOSTILE, runtime=HOSTILE)
    manifest["models"][0]["baseline"] = "float32" + HOSTILE
    records = [
        replace(r, model=HOSTILE, recipe=r.recipe + HOSTILE) if r.model == "digits" else r
        for r in folder.trials()
    ]
    records = [replace(r, device=HOSTILE, runtime=HOSTILE) for r in records]
    lines = [json.dumps(asdict(r)) + "\n" for r in records]
    (folder.path / TRIALS).write_text("".join(lines), "utf-8")
    folder.write_run(read_run(manifest, "a test's run"))

    text = build(folder).read_text("utf-8")
    page = Page(text)
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert "alert(1)" in " ".join(page.words)
    assert "49" not in {word for words in page.words for word in words.split()}
    for control in ("\x1b", "\u202e"):
        assert control not in text
        assert control not in (folder.path / TEXT).read_text("utf-8")
    markdown = (folder.path / TEXT).read_text("utf-8")
    assert "<script" not in markdown
    rows = [line.replace(r"\|", "") for line in markdown.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows[:13]}) == 1


def test_an_interrupted_run_is_reported_as_such(make_run):
    folder = make_run(state="interrupted", finished=None)
    lines = (folder.path / TRIALS).read_text("utf-8").splitlines(keepends=True)
    (folder.path / TRIALS).write_text("".join(lines[:40]), "utf-8")
    words = " ".join(page_of(folder).words)
    assert "not finished (state: interrupted): 40 of 108 planned trials" in words
    assert "no latency trial was run" in words


@pytest.mark.parametrize("kind", ["latency", "memory", "accuracy"])
def test_a_kind_of_trials_may_be_missing(make_run, kind):
    folder = make_run()
    lines = (folder.path / TRIALS).read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["kind"] != kind]
    (folder.path / TRIALS).write_text("".join(kept), "utf-8")
    assert page_of(folder).open == []


def test_a_run_without_trials_says_so(make_run):
    folder = make_run()
    (folder.path / TRIALS).write_text("", "utf-8")
    words = " ".join(page_of(folder).words)
    assert "No trial is valid: there is nothing to compare." in words
    assert "No variant has a valid latency trial." in words


def test_a_run_that_only_failed_says_so(make_run):
    folder = make_run()
    records = [
        replace(r, state="failed", code="internal", reason="the agent crashed", metrics=())
        for r in folder.trials()
    ]
    lines = [json.dumps(asdict(r)) + "\n" for r in records]
    (folder.path / TRIALS).write_text("".join(lines), "utf-8")
    words = " ".join(page_of(folder).words)
    assert "108 of 108 trials failed" in words
    assert "the agent crashed" in words


def test_a_run_stopped_while_compressing_says_so(tmp_path):
    folder = RunFolder.create(tmp_path / "run", run_of(run="early", state="interrupted"))
    page = page_of(folder)
    assert "There is nothing to compare in this run." in " ".join(page.words)
    assert page.open == []


def test_a_virtual_device_is_marked(make_run):
    folder = make_run(devices=[{"name": "bench", "kind": "android", "virtual": True}])
    text = build(folder).read_text("utf-8")
    assert "virtual: not a phone" in text
    assert "virtual: not a phone" in (folder.path / TEXT).read_text("utf-8")


ARTIFACT = {"model": "m", "recipe": "r", "sha256": "a", "sizes": {"file": 1}}
PLACE = {"trial": "t", "device": "d", "model": "m", "recipe": "r", "runtime": "c"}


@pytest.mark.parametrize(
    "damage",
    [
        {"plan": [3]},
        {"plan": {}},
        {"plan": None},
        {"plan": [{**PLACE, "model": ["m"]}]},
        {"artifacts": [{"model": "m"}]},
        {"artifacts": [{**ARTIFACT, "sizes": {"file": "many"}}]},
        {"artifacts": [{**ARTIFACT, "warnings": 1}]},
        {"artifacts": [{**ARTIFACT, "dataset": "mnist"}]},
        {"failures": "none"},
        {"models": [{"name": "m", "baseline": 1}]},
        {"devices": {"name": "d"}},
        {"runtimes": [None]},
        {"suite": 3},
        {"warnings": 1},
    ],
)
def test_a_damaged_manifest_is_reported(tmp_path, damage):
    folder = RunFolder.create(tmp_path / "run", run_of())
    document = {**folder.run().document(), **damage}
    (folder.path / MANIFEST).write_text(json.dumps(document), "utf-8")
    (key,) = damage
    with pytest.raises(BadInputError, match=rf"run\.json is damaged: {key}\b"):
        build(folder)


@pytest.mark.parametrize(
    "damage",
    [
        {"metrics": [1]},
        {"metrics": [{"name": "memory_peak", "value": "much"}]},
        {"delegation": [1]},
        {"delegation": {"nodes": 1, "left": [1]}},
        {"warnings": [{}]},
    ],
)
def test_a_damaged_trial_is_reported_and_the_others_shown(make_run, damage):
    folder = make_run()
    first, *others = (folder.path / TRIALS).read_text("utf-8").splitlines()
    lines = [json.dumps({**json.loads(first), **damage}), *others]
    (folder.path / TRIALS).write_text("".join(line + "\n" for line in lines), "utf-8")
    words = " ".join(page_of(folder).words)
    (key,) = damage
    assert f"its line in trials.jsonl is damaged: {key}" in words
    assert "2 of 108 trials failed" in words


def test_a_line_that_is_no_trial_is_an_error(make_run):
    folder = make_run()
    lines = (folder.path / TRIALS).read_text("utf-8").splitlines()
    lines[3] = json.dumps({**json.loads(lines[3]), "model": ["m"]})
    (folder.path / TRIALS).write_text("".join(line + "\n" for line in lines), "utf-8")
    with pytest.raises(BadInputError, match=r"trials\.jsonl:4: not a trial: model: should be"):
        build(folder)
