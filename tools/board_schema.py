"""Reads a board description and compares it with the JSON schema, in sentences."""

import json
import re
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).resolve().parent.parent / "boards" / "board.schema.json"


class BoardFileError(Exception):
    """The file is missing, is not JSON, or names a key twice."""


def load(path):
    """The parsed file; BoardFileError with a sentence."""

    def pairs(items):
        seen = {}
        for key, value in items:
            if key in seen:
                raise BoardFileError('the key "%s" is there twice in one object' % key)
            seen[key] = value
        return seen

    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=pairs)
    except OSError as error:
        raise BoardFileError("cannot be read: %s" % error.strerror) from None
    except UnicodeDecodeError:
        raise BoardFileError("is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise BoardFileError("is not JSON: %s" % error) from None


def departures(doc):
    """[(field, what is wrong and what is allowed)] where a description departs from the schema."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = sorted(validator.iter_errors(doc), key=lambda error: [str(p) for p in error.path])
    return [(_path(error.absolute_path), _sentence(error)) for error in errors]


def quoted(values):
    """The values as in JSON, with commas."""
    return ", ".join(json.dumps(value) for value in values)


def _path(parts):
    text = ""
    for part in parts:
        text += "[%d]" % part if isinstance(part, int) else ("." if text else "") + part
    return text or "the file"


def _sentence(error):
    value = json.dumps(error.instance)
    value = value if len(value) <= 60 else value[:57] + "..."
    wanted = error.validator_value
    if error.validator == "required":
        missing = [key for key in wanted if key not in error.instance]
        return "%s is missing" % quoted(missing)
    if error.validator == "additionalProperties":
        allowed = error.schema.get("properties") or error.schema["patternProperties"]
        patterns = error.schema.get("patternProperties") or ["^%s$" % key for key in allowed]
        unknown = [key for key in error.instance if not any(re.search(p, key) for p in patterns)]
        return "unknown key %s; allowed: %s" % (quoted(unknown), quoted(allowed))
    if error.validator == "enum":
        return "is %s; allowed: %s" % (value, quoted(wanted))
    if error.validator == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return "is %s; allowed: %s" % (value, " or ".join(kinds))
    if error.validator in ("minimum", "maximum"):
        low, high = error.schema.get("minimum"), error.schema.get("maximum")
        return "is %s; allowed: %s to %s" % (value, low, high)
    if error.validator in ("minItems", "maxItems", "minLength", "maxLength"):
        return "has a length that is not allowed; %s is %s" % (error.validator, wanted)
    if error.validator == "pattern":
        return "is %s; allowed: what matches %s" % (value, wanted)
    return error.message
