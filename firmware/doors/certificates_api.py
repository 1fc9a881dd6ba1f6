"""/api/certificates: the certificates of HTTPS and of the smart meter gateway; docs/https.md."""

from controller import certificates
from controller.unload import unload

_CHECKING = ("controller.certificate_check", "controller.der", "controller.p256")
MAX_BODY = 8192
RAW = True  # PEM as a file has it, or JSON around it


def _describe(door, kind):
    controller = door.controller
    document, problem = certificates.load(controller.store, kind)
    if document is None:
        return {"problem": str(problem)} if problem else None
    return _about(document, controller.clock)


def _about(document, clock):
    about = document["about"]
    about["state"] = certificates.expiry(about["valid_until_s"], clock)
    return about


def _get(door, request):
    return {kind: _describe(door, kind) for kind in certificates.KINDS}, 200


def _kind(request):
    return request.path.split("/")[-1]


def _pem(door, data):
    """The PEM text of {"certificate": PEM, "key": PEM}; bytes that are no JSON as they are."""
    if not data or data[:1] != b"{":
        return data or b""
    import json

    try:
        body = json.loads(bytes(data).decode())
    except ValueError:
        raise door.refusal(400, "certificate_shape")
    if not isinstance(body, dict):
        raise door.refusal(400, "certificate_shape")
    parts = []
    for name in body:
        if name not in ("certificate", "key") or not isinstance(body[name], str):
            raise door.refusal(400, "certificate_shape")
        parts.append(body[name])
    return "\n".join(parts).encode()


async def _put(door, request):
    controller = door.controller
    kind = _kind(request)
    clock = controller.clock
    data = _pem(door, request.data)
    request.data = None  # its room is needed
    from controller.certificate_check import check

    document = await check(kind, data, clock.utc_s() if clock.trusted else None)
    del check, data
    unload(_CHECKING)  # the rest needs the room
    certificates.save(controller.store, kind, document)
    answer = _about(document, clock)
    what = "%s (%s)" % (kind, answer["subject"])
    controller.event("certificate_set", request.who, what, answer["valid_until"])
    _reload(controller)
    return answer, 200


def _delete(door, request):
    controller = door.controller
    kind = _kind(request)
    if _in_use(controller, kind):
        raise certificates.CertificateError(kind, "in_use")
    if certificates.remove(controller.store, kind):
        controller.event("certificate_deleted", request.who, kind)
    _reload(controller)
    return "ok", 200


def _in_use(controller, kind):
    doc = controller.settings.doc
    if kind == "server" and doc["tls"].get("enabled"):
        return True
    if not doc["gateway"].get("enabled"):
        return False
    if kind == "ca":
        return True
    return kind == "server" and certificates.load(controller.store, "gateway")[0] is None


def _reload(controller):
    listeners = getattr(controller, "tls", None)
    if listeners:
        listeners.reload()


_ONE = {"POST": _put, "PUT": _put, "DELETE": _delete}

ROUTES = {"/api/certificates": {"GET": _get}}
for _each in certificates.KINDS:
    ROUTES["/api/certificates/" + _each] = _ONE
