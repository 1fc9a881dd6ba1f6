"""Data files are found, and a missing one says its name."""

import os

from controller import data


def test_missing_file_names_itself():
    try:
        data.load_json("templates/no_such_box.json")
    except data.DataMissing as error:
        assert "templates/no_such_box.json" in str(error)
    else:
        raise AssertionError("a missing file was found")


def test_text_without_its_file_still_says_what_it_knows():
    assert data.text("no_area", "wire_broken", (3,)) == "wire_broken 3"


def test_each_sentence_is_found():
    for root in data.roots:
        try:
            areas = os.listdir(root + "texts")
        except OSError:
            continue
        break
    for area in areas:
        for code, sentences in data.load_json("texts/" + area).items():
            if not isinstance(sentences, list):
                continue
            values = ["{%d}" % i for i in range(10)]
            found = [data.text(area[:-5], code, values, lang) for lang in ("en", "de")]
            assert found == [sentence.format(*values) for sentence in sentences], code
    assert len(areas) > 5
    assert data.text("http", "mem") == "mem"
