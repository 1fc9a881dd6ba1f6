"""The settings: one document, checked against the schema, changed all at once or not at all."""

from controller.unload import unload


class Settings:
    """doc is the document, complete with defaults; problem is None or says what of the one on
    flash could not be used (its sections then have their defaults).

    controller/settings_check.py reads and changes it, controller/settings_view.py shows it.
    ports: what ids of inputs, rs485 ports and relays the board has. unused: sections on flash that
    are not understood; they are kept there until set anew.
    """

    def __init__(self, store, load_json, board):
        self.store = store
        self.load_json = load_json
        self.ports = {
            group: [part.get("id") for part in board.get(group) or ()]
            for group in ("inputs", "rs485", "relays")
        }
        self.unused = {}
        self.doc = {}
        from controller import settings_check

        self.problem = settings_check.load(self, store.load("settings.json"))

    def apply(self, patch):
        """Merge a partial document, save it, and return the set of the sections that changed.

        Sections and buses merge field by field, lists are replaced, a bus set to None is deleted.
        Raises SettingsError or StoreError; then nothing has changed.
        """
        from controller import settings_check

        new = settings_check.changes(self, patch)
        del settings_check
        unload()  # to save needs the room that checks and parser have
        if new:
            whole = dict(self.doc)
            whole.update(self.unused)
            whole.update(new)
            self.store.save("settings.json", whole)
            self.doc.update(new)
            for name in new:
                self.unused.pop(name, None)
        return set(new)
