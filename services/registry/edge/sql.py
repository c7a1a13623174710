"""Which statements does registry send, and to which of its own tables?"""

from __future__ import annotations

# -- what decisions read -------------------------------------------------------------------------

SECRETS = """
    SELECT c.code_id, c.sealed_key, v.vault_id, v.wrapped_key, v.profile
    FROM unnest($1::text[]) AS x(code_id)
    JOIN transfer_code AS c ON c.code_id = x.code_id
    JOIN person AS p ON p.ref = c.subject_id
    JOIN vault AS v ON v.vault_id = p.vault_id
"""
PROFILES = """
    SELECT p.ref, v.vault_id, v.wrapped_key, v.profile
    FROM unnest($1::text[]) AS x(ref)
    JOIN person AS p ON p.ref = x.ref
    JOIN vault AS v ON v.vault_id = p.vault_id
"""

# -- what is written with a decision -------------------------------------------------------------

ADD_VAULT = "INSERT INTO vault (vault_id, wrapped_key, profile) VALUES ($1, $2, $3)"
ADD_PERSON = "INSERT INTO person (ref, kind, vault_id) VALUES ($1, $2, $3)"
ADD_REGISTRATION = """
    INSERT INTO registration (ref, kind, residence_region, verification, by_hand, registered_at)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
ADD_APPLICATION = """
    INSERT INTO application (applicant_ref, login_id, registered_at) VALUES ($1, $2, $3)
"""
SET_VERIFICATION = """
    UPDATE registration SET verification = $2, last_result = $3 WHERE ref = $1
"""
SET_HOME = "UPDATE registration SET home = $2 WHERE ref = $1"
# The applicant's registration becomes the subject's; of a subject who comes back it is renewed.
MOVE_REGISTRATION = """
    WITH moved AS (DELETE FROM registration WHERE ref = $1 RETURNING *)
    INSERT INTO registration (ref, kind, residence_region, verification, last_result, by_hand,
        registered_at)
    SELECT $2, 'subject', residence_region, verification, last_result, by_hand, registered_at
    FROM moved
    ON CONFLICT (ref) DO UPDATE SET residence_region = excluded.residence_region,
        verification = excluded.verification, last_result = excluded.last_result,
        by_hand = excluded.by_hand, home = NULL
"""
# What was held of her before she left is replaced by what she proved now: its key is destroyed.
FORGET_OLD_VAULT = """
    WITH old AS (
        DELETE FROM person WHERE ref = $2 AND EXISTS (SELECT FROM person WHERE ref = $1)
        RETURNING vault_id
    )
    DELETE FROM vault WHERE vault_id IN (SELECT vault_id FROM old)
"""
MOVE_PERSON = "UPDATE person SET ref = $2, kind = 'subject' WHERE ref = $1"
FORGET_VAULT = """
    WITH old AS (DELETE FROM person WHERE ref = $1 RETURNING vault_id)
    DELETE FROM vault WHERE vault_id IN (SELECT vault_id FROM old)
"""
FORGET_REGISTRATION = "DELETE FROM registration WHERE ref = $1"
ADD_CODE = "INSERT INTO transfer_code (code_id, subject_id, sealed_key) VALUES ($1, $2, $3)"
# What she is shown of her codes stays when the key is gone.
ADD_CODE_ISSUED = "INSERT INTO code_issued (code_id, subject_id, issued_at) VALUES ($1, $2, $3)"
ADD_CODE_TRY = """
    INSERT INTO code_try (code_id, transfer_id, city, outcome, at) VALUES ($1, $2, $3, $4, $5)
"""
FORGET_CODE = "DELETE FROM transfer_code WHERE code_id = $1"
KEEP_CODE = """
    INSERT INTO application_code (applicant_ref, code_id, sealed_key) VALUES ($1, $2, $3)
    ON CONFLICT (applicant_ref)
    DO UPDATE SET code_id = excluded.code_id, sealed_key = excluded.sealed_key
"""
DROP_CODE = "DELETE FROM application_code WHERE applicant_ref = $1"
NOTE_TRANSFER = """
    INSERT INTO transfer_seen (transfer_id, role, applicant_ref, subject_id, since)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (transfer_id) DO UPDATE SET
        applicant_ref = coalesce(excluded.applicant_ref, transfer_seen.applicant_ref),
        subject_id = coalesce(excluded.subject_id, transfer_seen.subject_id)
"""
ADD_ORGANISATION = """
    INSERT INTO organisation (organisation_id, name, kind, uscc, filing_office, filing_number,
        seat_region, scope, established_on, charity, supervising_body_id, standing, vault_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
SET_STANDING = "UPDATE organisation SET standing = $2 WHERE organisation_id = $1"
ADD_VERSION = """
    INSERT INTO policy_version (policy_id, version, kind, jurisdiction, effective_from, correction,
        source, content, published_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

# In this order: a person's row names her vault's.
ADDITIONS = (
    ADD_VAULT,
    ADD_PERSON,
    ADD_REGISTRATION,
    ADD_APPLICATION,
    ADD_CODE,
    ADD_CODE_ISSUED,
    ADD_CODE_TRY,
    ADD_ORGANISATION,
    ADD_VERSION,
)
