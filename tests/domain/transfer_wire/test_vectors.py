"""Do ids, codes, bundles, messages and certificates have the published bytes?"""

from __future__ import annotations

from typing import Any

import pytest

from services.transfer.domain import certificates, codes, envelopes
from services.transfer.domain.bundles import MAX_LEAVES, additional_data, bundle_key, cut, nonce
from services.transfer.domain.certificates import is_genuine, seal_of
from services.transfer.domain.content_models import (
    CONTENTS,
    judge_content,
    judge_envelope,
)
from services.transfer.domain.directory import endorsements
from services.transfer.domain.entry_form import judge_leaf
from services.transfer.domain.verify_sums import MemoryScratch, state_digest, sums
from services.transfer.edge.sealing import SealIsBroken, seal, shared_key, unseal
from services.transfer.edge.signatures import verify_signature
from shared import merkle
from shared.canonical import canonical, digest
from tests.support.vectors import directory, directory_file, message, vectors

CODE = vectors("identity")["code"]
BUNDLE = vectors("bundle")
ENTRIES = vectors("entries")
TRANSFER = vectors("transfer")
MESSAGES = {entry["name"]: entry for entry in TRANSFER["messages"]}


def test_a_code_becomes_its_ids_and_its_proof() -> None:  # transfer 2.3
    code = bytes.fromhex(CODE["code_hex"])
    assert codes.code_text(code) == CODE["code_text"]
    assert codes.code_id(code) == CODE["code_id"]
    key = codes.code_key(code)
    assert key.hex() == CODE["code_key_hex"]
    proof_key = codes.proof_key(key, CODE["transfer_id"], CODE["origin"], CODE["destination"])
    assert proof_key.hex() == CODE["proof_key_hex"]
    proof = codes.proof(proof_key, bytes.fromhex(CODE["identity_bytes_hex"]))
    assert codes.proofs_are_equal(proof, CODE["proof"])
    assert not codes.proofs_are_equal(proof[:-1] + "0", CODE["proof"])


@pytest.mark.parametrize(
    "typed",
    [
        CODE["code_text"],
        CODE["code_text"].lower(),
        CODE["code_text"].replace("-", " "),
        CODE["code_text"].replace("1", "l").replace("0", "o"),
        CODE["code_text"].replace("1", "I").replace("-", ""),
    ],
)
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert codes.code_bytes(typed).hex() == CODE["code_hex"]


@pytest.mark.parametrize(
    "typed", ["", "621P2", CODE["code_text"] + "0", "U" * 26, "Z" * 26, "-" * 10_000]
)
def test_what_is_no_code_is_told_so(typed: str) -> None:
    with pytest.raises(codes.CodeIsMistyped) as caught:
        codes.code_bytes(typed)
    assert not typed or typed not in str(caught.value)


def test_the_leaves_of_the_example_sum_up_as_published() -> None:  # entries.json
    book, scratch, frontier = directory(), MemoryScratch(), ()
    for number, entry in enumerate(ENTRIES["entries"]):
        leaf = judge_leaf(
            canonical(entry),
            subject_id=ENTRIES["subject_id"],
            directory=book,
            verify=verify_signature,
        )
        assert leaf.digest.hex() == ENTRIES["digests"][number] == digest(entry["body"])
        assert merkle.leaf_hash(leaf.digest).hex() == ENTRIES["leaf_hashes"][number]
        frontier = merkle.append(number, frontier, leaf.digest)
        assert scratch.add([leaf]) is None
    assert merkle.root(frontier).hex() == ENTRIES["root"]
    totals = sums(scratch)
    assert {name: getattr(totals, name) for name in ENTRIES["totals"]} == ENTRIES["totals"]
    lines = b"".join(leaf.state_line for leaf in scratch.standing())
    assert lines.hex() == ENTRIES["state_bytes_hex"]
    assert state_digest(scratch) == ENTRIES["state_digest"]


def test_a_bundle_is_sealed_and_opened_on_either_side() -> None:  # bundle.json, 4.1
    transfer_id, n = BUNDLE["transfer_id"], BUNDLE["n"]
    origin, destination = (
        bytes.fromhex(BUNDLE[f"{side}_seal_seed"]) for side in ("origin", "destination")
    )
    key = shared_key(origin, BUNDLE["destination_seal_public"], transfer_id)
    assert key == shared_key(destination, BUNDLE["origin_seal_public"], transfer_id)
    assert key.hex() == BUNDLE["bundle_key"]
    assert bundle_key(bytes.fromhex(BUNDLE["shared_secret"]), transfer_id) == key
    assert nonce(n).hex() == BUNDLE["nonce"]
    assert additional_data(transfer_id, n).hex() == BUNDLE["aad"]
    lines = [canonical(entry) for entry in ENTRIES["entries"]]
    (plain,) = cut(lines, 1_048_576)
    assert (plain.n, plain.first_index, plain.leaves) == (0, 0, 3)
    assert plain.data.hex() == BUNDLE["plain_hex"]
    sealed, address = seal(key, transfer_id, n, plain.data)
    assert (sealed.hex(), address) == (BUNDLE["sealed_hex"], BUNDLE["digest"])
    assert unseal(key, transfer_id, n, sealed) == plain.data


@pytest.mark.parametrize("fault", ["a bit", "another number", "another transfer", "cut short"])
def test_a_bundle_opens_only_as_it_was_sealed(fault: str) -> None:  # F34
    transfer_id, n, sealed = BUNDLE["transfer_id"], BUNDLE["n"], bytes.fromhex(BUNDLE["sealed_hex"])
    key = bytes.fromhex(BUNDLE["bundle_key"])
    if fault == "a bit":
        sealed = bytes([sealed[0] ^ 1]) + sealed[1:]
    elif fault == "another number":
        n += 1
    elif fault == "another transfer":
        transfer_id = "0" * 64
    else:
        sealed = sealed[:-1]
    with pytest.raises(SealIsBroken):
        unseal(key, transfer_id, n, sealed)


def test_a_log_is_cut_before_a_bundle_exceeds_its_limits() -> None:  # 4.1
    lines = [b"x" * 99] * 1201
    plains = list(cut(iter(lines), 65_536))
    assert [plain.leaves for plain in plains] == [500, 500, 201]
    assert [plain.first_index for plain in plains] == [0, MAX_LEAVES, 2 * MAX_LEAVES]
    narrow = list(cut(iter([b"x" * 8000] * 20), 65_536))
    assert [plain.leaves for plain in narrow] == [8, 8, 4]
    assert all(len(plain.data) <= 65_536 for plain in narrow)
    assert [plain.n for plain in narrow] == [0, 1, 2]
    assert list(cut(iter([]), 65_536)) == []


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_its_form_digest_id_and_signature(name: str) -> None:  # transfer.json
    envelope, book = MESSAGES[name]["envelope"], directory()
    body = envelope["body"]
    assert digest(body) == MESSAGES[name]["body_digest"]
    assert judge_envelope(envelope) == (True, None)
    assert judge_content(body, "O" if body["from"] == "amber" else "D") is None
    derived = envelopes.message_id(
        body["transfer_id"], body["from"], body["incarnation"], body["seq"]
    )
    assert body["message_id"] == derived
    key = book.key(body["from"], envelope["kid"], "message", body["issued_at"])
    assert key is not None
    signed = b"jiexu-envelope-v1\n" + canonical(body)
    assert verify_signature(key.public, signed, bytes.fromhex(envelope["sig"]))
    assert certificates.body_bytes(canonical(envelope), envelope["kid"]) == canonical(body)
    opened = envelopes.opened(envelope, digest(body))
    assert (opened.sender, opened.receiver, opened.minor) == (body["from"], body["to"], 0)
    rebuilt = envelopes.body(
        type=opened.type,
        message_id=opened.message_id,
        transfer_id=opened.transfer_id,
        sender=opened.sender,
        receiver=opened.receiver,
        incarnation=opened.incarnation,
        seq=opened.seq,
        prev=opened.prev,
        in_reply_to=opened.in_reply_to,
        issued_at=opened.issued_at,
        expires_at=opened.expires_at,
        content=opened.content,
    )
    assert rebuilt == body


def test_messages_name_the_one_before_and_the_transfer_is_derived() -> None:
    last: dict[str, str | None] = {"amber": None, "birch": None}
    for entry in TRANSFER["messages"]:
        body = entry["envelope"]["body"]
        assert body["prev"] == last[body["from"]]
        last[body["from"]] = entry["body_digest"]
    request = message("M1")["body"]
    content = request["content"]
    derived = envelopes.transfer_id(
        "amber", "birch", content["purpose"], content["applicant_ref"], content["nonce"]
    )
    assert derived == request["transfer_id"] == TRANSFER["transfer_id"]


def test_supplements_are_chained_and_closed_under_one_root() -> None:  # 9, M11–M13
    contents = [message(f"M11 k={k}")["body"]["content"] for k in (1, 2)]
    digests = [codes.supplement_digest(canonical(content)) for content in contents]
    assert digests == TRANSFER["supplement_digests"]
    assert contents[1]["prev_supplement"] == digests[0]
    root = merkle.root_of([bytes.fromhex(each) for each in digests]).hex()
    assert message("M12")["body"]["content"]["root"] == root
    assert message("M13")["body"]["content"]["root"] == root
    assert [message(f"M11r k={k}")["body"]["content"]["supplement_digest"] for k in (1, 2)] == (
        digests
    )


SIGNED = {
    "genesis": message("M4")["body"]["content"]["custody_chain"][0],
    "release": message("M7")["body"]["content"]["certificate"],
    "head of the offer": message("M4")["body"]["content"]["head"],
    "consent": message("M1")["body"]["content"]["consent"],
    "head afterwards": TRANSFER["home_head_after"],
    "head of a receipt": TRANSFER["receipt_newest"]["head"],
    "abort": TRANSFER["abort_certificate_example"],
    "pointer": TRANSFER["pointer_example"],
}


@pytest.mark.parametrize("name", SIGNED)
def test_a_signed_object_is_genuine_until_a_bit_of_it_changes(name: str) -> None:
    signed, book = SIGNED[name], directory()
    assert is_genuine(signed, book, verify_signature)
    other = {**signed, "sig": ("1" if signed["sig"][0] == "0" else "0") + signed["sig"][1:]}
    assert not is_genuine(other, book, verify_signature)
    changed: dict[str, Any] = {**signed, "body": {**signed["body"], "added": 1}}
    assert not is_genuine(changed, book, verify_signature)
    kid = signed["kid"]
    for change in (
        {"revoked_at": "2026-01-01T00:00:00Z"},
        {"uses": ["message", "custody"]},
        {"uses": ["entry", "head"]},
        {"not_after": "2027-01-01T00:00:00Z"},
        {"compromised_since": "2027-02-01T00:00:00Z"},
    ):
        if change.get("uses") == next(
            key["uses"]
            for node in directory_file()["body"]["nodes"]
            for key in node["keys"]
            if key["kid"] == kid
        ):
            continue
        assert not is_genuine(signed, directory({"keys": {kid: change}}), verify_signature)


def test_certificate_digests_and_receipts_are_as_published() -> None:
    assert digest(SIGNED["genesis"]["body"]) == TRANSFER["genesis_digest"]
    assert digest(SIGNED["release"]["body"]) == TRANSFER["certificate_digest"]
    for name in ("receipt_example", "receipt_newest"):
        receipt = TRANSFER[name]
        assert certificates.receipt(receipt, True) is None
        assert merkle.inclusion_holds(
            bytes.fromhex(receipt["entry_digest"]),
            receipt["index"],
            receipt["head"]["body"]["count"],
            [bytes.fromhex(step) for step in receipt["inclusion_path"]],
            bytes.fromhex(receipt["head"]["body"]["root"]),
        )


def test_what_is_genuine_in_a_message_is_found_whatever_it_stands_in() -> None:
    book = directory()
    offer = message("M4")["body"]["content"]
    genuine = certificates.genuine_objects(offer, book, verify_signature)
    assert genuine == {seal_of(offer["head"]), seal_of(offer["custody_chain"][0])}
    request = message("M1")["body"]["content"]
    assert len(certificates.genuine_objects(request, book, verify_signature)) == 1
    notice = dict.fromkeys(("ref", "pointer", "custody_chain"))
    assert certificates.genuine_objects(notice, book, verify_signature) == frozenset()


def test_the_directory_is_endorsed_by_its_office_alone() -> None:  # directory.json
    file = directory_file()
    kid = file["sigs"][0]["kid"]
    public = next(
        (bytes.fromhex(key["public"]) for key in vectors("keys")["ed25519"] if key["kid"] == kid),
        None,
    )
    assert public is not None, "the office's key stands among the published ones"
    assert endorsements(file, {kid: public}, verify_signature) == 1
    assert endorsements({**file, "sigs": file["sigs"] * 2}, {kid: public}, verify_signature) == 1
    assert endorsements(file, {kid: bytes(32)}, verify_signature) == 0
    assert endorsements(file, {}, verify_signature) == 0
    changed = {**file, "body": {**file["body"], "serial": 8}}
    assert endorsements(changed, {kid: public}, verify_signature) == 0


def test_every_type_of_the_protocol_has_a_form() -> None:
    listed = {row["type"].split(" ")[0] for row in vectors("tables")["messages"]} - {"(E2)"}
    assert set(CONTENTS) == listed | {"bundle-get"}
