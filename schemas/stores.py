"""A store's settings on the `stores` topic. Secrets are sealed: encrypted with CARTSTREAM_SECRET_KEY (Fernet: AES-CBC and HMAC)."""

from typing import ClassVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from schemas.failures import WrongSetting
from schemas.keys import store_hash
from schemas.records import Message
from schemas.settings import Settings

DEPLOYMENT = "deployment"  # the key of the Deployment record
SEALED = ("access_token", "api_key_id", "api_secret", "client_secret", "webhook_secret")


class Store(Message, frozen=True, kw_only=True):
    """One store and where its people go. Key `{s}`."""

    name: ClassVar[str] = "store"
    store: str  # `{hash}.{generation}`, `abc123.1`
    domain: str  # of the storefront, `shop.example.com`
    currency: str  # the store's default currency, ISO 4217
    engagement_url: str
    project: str  # Engagement's project token
    shared: bool = False  # whether other stores go there, too: ids bear the store's hash then; never changed
    access_token: str  # sealed, as all below
    api_key_id: str
    api_secret: str
    client_secret: str = ""  # signs webhooks; "" where none was given
    webhook_secret: str  # our own random header on every hook
    hooks: bool = True  # whether cartstream looks after its hooks; not where it was added with --no-hooks
    events_from_ms: int = 0  # orders created before, and first seen placed, make no purchase: what `--events` said last
    paused: bool = False
    removed: bool = False

    @property
    def hash(self) -> str:
        return store_hash(self.store)

    @property
    def generation(self) -> int:
        return int(self.store.rpartition(".")[2])


class Deployment(Message, frozen=True, kw_only=True):
    """What belongs to the whole deployment. Key `deployment`; made once, never changed."""

    name: ClassVar[str] = "deployment"
    person_key: str  # sealed, base64: the key of `{h}`


class Seal:
    """Encrypts and opens secrets with the deployment's CARTSTREAM_SECRET_KEY."""

    def __init__(self, settings: Settings) -> None:
        """Raises WrongSetting when there is no key."""
        key = settings.secret_key.get_secret_value()
        if not key:
            raise WrongSetting(
                "CARTSTREAM_SECRET_KEY: is not set; `cartstream doctor --new-key` prints one; keep it, stores are sealed with it"
            )
        self._fernet = Fernet(key)

    def close(self, secret: str) -> str:
        return self._fernet.encrypt(secret.encode()).decode() if secret else ""

    def open(self, sealed: str) -> str:
        """Raises WrongSetting when the key is not the one that sealed it."""
        try:
            return self._fernet.decrypt(sealed).decode() if sealed else ""
        except InvalidToken:
            raise WrongSetting("CARTSTREAM_SECRET_KEY: is not the key that the stores were added with; set that one") from None

    def sealed(self, store: Store) -> Store:
        """The same store with its secrets encrypted, as it stands on the topic."""
        return msgspec.structs.replace(store, **{field: self.close(getattr(store, field)) for field in SEALED})

    def opened(self, store: Store) -> Store:
        """The same store with its secrets readable, to keep in memory only."""
        return msgspec.structs.replace(store, **{field: self.open(getattr(store, field)) for field in SEALED})
