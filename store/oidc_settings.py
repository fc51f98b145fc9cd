"""Settings of sign-in by a company's own identity provider; all empty: there is none."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OidcSettings(BaseSettings):
    """What the operator says of the provider; :func:`store.oidc.client_of` checks it as a whole."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    public_url: str = Field(
        "",
        alias="PEDIGREE_PUBLIC_URL",
        description="where people's browsers have the service, as https://pets.example.org; needed for sign-in",
    )
    oidc_issuer: str = Field(
        "",
        alias="PEDIGREE_OIDC_ISSUER",
        description="an OpenID Connect provider that people sign in with, as https://id.example.org/realms/pets; "
        "none: nobody signs in, keys alone are asked for",
    )
    oidc_client_id: str = Field("", alias="PEDIGREE_OIDC_CLIENT_ID", description="what the provider knows us by")
    oidc_client_secret: str = Field(
        "",
        alias="PEDIGREE_OIDC_CLIENT_SECRET_FILE",
        description="a file with the secret that the provider gave, which only its owner and group may read; "
        "none: the provider gave none",
    )
    oidc_name: str = Field(
        "", alias="PEDIGREE_OIDC_NAME", max_length=60, description="what people call it; the issuer's host by itself"
    )
    oidc_hosts: str = Field(
        "",
        alias="PEDIGREE_OIDC_HOSTS",
        description="further hosts that the provider's description may name, by commas, as oauth2.example.org",
    )
    oidc_requested_scopes: str = Field(
        "openid profile email",
        alias="PEDIGREE_OIDC_REQUESTED_SCOPES",
        description="what the provider is asked for; some send groups for `groups` alone",
    )
    oidc_groups_claim: str = Field(
        "groups",
        alias="PEDIGREE_OIDC_GROUPS_CLAIM",
        description="where the ID token has a person's groups; dots lead into objects, as realm_access.roles",
    )
    oidc_predict_groups: str = Field(
        "", alias="PEDIGREE_OIDC_PREDICT_GROUPS", description="groups, by commas, whose people may predict"
    )
    oidc_train_groups: str = Field(
        "", alias="PEDIGREE_OIDC_TRAIN_GROUPS", description="groups, by commas, whose people may train"
    )
    oidc_admin_groups: str = Field(
        "", alias="PEDIGREE_OIDC_ADMIN_GROUPS", description="groups, by commas, whose people may do everything"
    )
    oidc_session_hours: float = Field(
        8.0,
        alias="PEDIGREE_OIDC_SESSION_HOURS",
        gt=0,
        le=24,
        description="a sign-in holds so long; who leaves a group keeps its scope until then",
    )
