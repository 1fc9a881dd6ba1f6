"""Documents on flash: JSON files that survive a power cut at any moment."""

from controller.refusal import Refusal


class StoreError(Refusal):
    """A document is damaged, or was not written."""

    area = "settings_errors"
    status = 500


class Store:
    """Keeps named documents in a folder ("" or ending in "/"). controller/store_files.py does it.

    counts: {name: how often the document was written in its life}.
    """

    def __init__(self, folder=""):
        self.folder = folder
        self.counts = {}

    @property
    def writes(self):
        """Writes of all documents loaded or saved here, over their whole life."""
        return sum(self.counts.values())

    def load(self, name):
        """(document, problem): the document or the last good one before it, else None.

        problem is None, or a StoreError that says what had to be used instead.
        """
        from controller import store_files

        return store_files.load(self, name)

    def save(self, name, document):
        """Write the document unless it is already there; True if flash was written.

        Raises StoreError; the document that was there is then still there. A power cut leaves the
        old or the new one.
        """
        from controller import store_files

        return store_files.save(self, name, document)
