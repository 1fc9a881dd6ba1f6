"""What is refused, in a sentence; the sentences lie in texts/<area>.json (English, German)."""

from controller import data


class Refusal(Exception):
    """Base of the errors that people read; str() is English, text("de") German."""

    area = ""
    status = 400  # of the HTTP answer
    retry_ms = 0  # after which another attempt may succeed
    field = None  # what the refused value was meant for, e.g. "evses[0].priority"

    def __init__(self, code, *arguments):
        super().__init__(code)
        self.code = code
        self.arguments = arguments

    def text(self, lang="en"):
        arguments = [_in_words(argument, lang) for argument in self.arguments]
        return data.text(self.area, self.code, arguments, lang)

    def __str__(self):
        return self.text()


def _in_words(argument, lang):
    if isinstance(argument, Refusal):
        return argument.text(lang)
    if lang != "en" and hasattr(argument, "column"):  # a FormulaError
        area = getattr(argument, "area", "formula")
        return data.text(area, argument.code, argument.values, lang)
    return argument
