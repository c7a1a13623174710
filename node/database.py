"""How do the commands reach a node's PostgreSQL? The embedded one by its password's file; any
other, from a container of a service say, by the settings of that service."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from node.layout import DATABASE, Node
from node.members import server_of
from node.terminal import Exit, Failure
from shared.access import AccessSettings, database_url, line_of
from shared.settings import PREFIX, DatabaseUrl, SettingsAreWrong, load


class _Settings(AccessSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore",
                                      use_attribute_docstrings=True)

    database_url: DatabaseUrl | None = None
    """The node's PostgreSQL, postgresql://user:password@host:port/database."""


def url_of(node: Node | None) -> str:
    """The URL of the node's database, with all that it takes to be let in.

    Where there is no embedded one, ``JIEXU_DATABASE_…`` around the command say. Raises ``Failure``:
    they say nothing, or something wrong.
    """
    if node is not None:
        try:
            return server_of(node).url_of(DATABASE)
        except FileNotFoundError:
            pass  # it was never started here
        except OSError as problem:
            raise Failure(
                Exit.NODE_STATE, f"无法读取节点的 PostgreSQL 口令文件:{problem.strerror}",
                f"the password file of the node's PostgreSQL cannot be read: {problem.strerror}",
            ) from None
    try:
        told = load(_Settings)
    except SettingsAreWrong as wrong:
        raise Failure(Exit.ASKED_WRONGLY, f"设置有误:{wrong}", str(wrong)) from None
    if told.database_url is None:
        raise Failure(
            Exit.NODE_STATE,
            "此处没有节点的 PostgreSQL:先运行 jiexu up;若节点在容器中,请在该服务的容器内执行,"
            "或设置 JIEXU_DATABASE_URL",
            "there is no PostgreSQL of a node here: `jiexu up` starts one; of a node in containers "
            "run this command in a container of the service, or set JIEXU_DATABASE_URL")
    return database_url(told.database_url.get_secret_value(), line_of(told.database_password_file),
                        told.database_sslmode, told.database_ca)
