#!/usr/bin/env python3
"""Verifies events against a signed head with nothing of Daybook's: Python and openssl alone.

    verify.py export HEAD KEY FILE...      the exported files begin with the events of the head
    verify.py event  HEAD KEY LINE PROOF   one exported line is among the events of the head

HEAD is a file with one signed head, KEY the verifier key as text, LINE a file with one line of
an export, and PROOF what GET /ledger/proof/{eventId}?size= answered for the size of the head.
"""
import base64, hashlib, json, re, subprocess, sys, tempfile


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf(line):
    """The leaf of a line: of the bytes of its form, never of JSON that was written anew."""
    found = re.fullmatch(rb'\{"position":[0-9]+,"recordedAt":"[^"]*","event":(.*)\}', line)
    return hashlib.sha256(b"\x00" + (found[1] if found else line)).digest()


def signed(head, key):
    """The size and root that a head names, if the key signed it."""
    text, _, signatures = head.partition(b"\n\n")
    text += b"\n"
    name, key_hash, key = key.split("+", 2)
    origin, size, root = text.decode().split("\n")[:3]
    for line in signatures.decode().splitlines():
        dash, signer, value = line.split(" ")
        value = base64.b64decode(value)
        if dash == "—" and signer == name == origin and value[:4].hex() == key_hash and ed25519(base64.b64decode(key), text, value[4:]):
            return int(size), base64.b64decode(root)
    sys.exit("the head is not signed with this key")


def ed25519(key, text, signature):
    """key is the byte 1, which stands for Ed25519 in notes, and the 32 bytes of the public key."""
    der = bytes.fromhex("302a300506032b6570032100") + key[1:]
    with tempfile.NamedTemporaryFile() as k, tempfile.NamedTemporaryFile() as t, tempfile.NamedTemporaryFile() as s:
        for file, content in ((k, der), (t, text), (s, signature)):
            file.write(content)
            file.flush()
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", k.name, "-rawin", "-in", t.name,
                               "-sigfile", s.name], capture_output=True).returncode == 0


def root_of(files, size):
    """The root over the first lines of some files: equal neighbours are joined as soon as they stand."""
    waiting, count = [], 0  # pairs of a height and a hash
    for name in files:
        for line in open(name, "rb"):
            line = line.rstrip(b"\n")
            if count == size or not line:
                continue
            count += 1
            height, h = 0, leaf(line)
            while waiting and waiting[-1][0] == height:
                height, h = height + 1, node(waiting.pop()[1], h)
            waiting.append((height, h))
    if count < size:
        sys.exit(f"the export ends after {count} events, and the head is of {size}")
    root = waiting.pop()[1] if waiting else hashlib.sha256().digest()
    while waiting:
        root = node(waiting.pop()[1], root)
    return root


def root_above(h, index, size, path):
    """The root that an audit path leads to: RFC 9162, section 2.1.3.2."""
    last = size - 1
    for p in path:
        if last == 0:
            sys.exit("the path is too long")
        if index & 1 or index == last:
            h = node(p, h)
            while index & 1 == 0 and index:
                index, last = index >> 1, last >> 1
        else:
            h = node(h, p)
        index, last = index >> 1, last >> 1
    if last:
        sys.exit("the path is too short")
    return h


def main(what, head, key, *rest):
    size, root = signed(open(head, "rb").read(), key)
    if what == "export":
        found = root_of(rest, size)
    else:
        line, proof = open(rest[0], "rb").read().rstrip(b"\n"), json.load(open(rest[1]))
        if proof["size"] != size or not 0 <= proof["index"] < size:
            sys.exit("the proof is for another head")
        found = root_above(leaf(line), proof["index"], size, [base64.b64decode(h) for h in proof["hashes"]])
    if found != root:
        sys.exit("it is not what was signed")
    print("it is what was signed")


if len(sys.argv) < 5:
    sys.exit(__doc__)
main(*sys.argv[1:])
