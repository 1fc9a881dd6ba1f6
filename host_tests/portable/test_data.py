"""Data files are found, and a missing one says its name."""

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
