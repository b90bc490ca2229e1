"""Calls the REST door with the vendor's SDK: docs/clients.md shows this file."""

import uuid
import openai

client = openai.OpenAI()  # OPENAI_BASE_URL, OPENAI_ADMIN_KEY
groups = client.admin.organization.groups
key = {"Idempotency-Key": str(uuid.uuid4())}

made = groups.create(name="Night shift", extra_headers=key)
print("created", made.id)

again = groups.with_raw_response.create(name="Night shift", extra_headers=key)
print("again  ", again.parse().id, "replayed:", again.headers.get("Idempotency-Replayed"))

try:
    groups.create(name="Day shift", extra_headers=key)
except openai.BadRequestError as error:
    print("reused ", error.code)

print("listed ", [group.name for group in groups.list() if group.id == made.id])
print("deleted", groups.delete(made.id).deleted)

try:
    client.with_options(admin_api_key="not a token").admin.organization.groups.list()
except openai.AuthenticationError as error:
    print("refused", error.code)
