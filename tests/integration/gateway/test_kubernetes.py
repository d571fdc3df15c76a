"""Who calls and what they may, told by a real API server; the routing table from its ConfigMap."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_kube_config

from botyard.contract import names
from botyard.contract.routes import Route, Routes
from botyard.gateway.access_reviews import SubjectAccessReviews
from botyard.gateway.config_map_routes import ConfigMapRoutes
from botyard.gateway.identity import Principal
from botyard.gateway.problems import Problem
from botyard.gateway.routes import RoutingTable
from botyard.gateway.token_reviews import TokenReviews
from tests.integration.apiserver.server import ApiServer


@pytest.fixture
async def client(apiserver: ApiServer) -> AsyncIterator[ApiClient]:
    configuration = Configuration()
    await load_kube_config(config_file=str(apiserver.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with ApiClient(configuration) as made:
        yield made


@pytest.fixture
async def unreachable() -> AsyncIterator[ApiClient]:
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as made:
        yield made


@pytest.fixture
def visitor(apiserver: ApiServer, namespace: str) -> str:
    """A service account's token, with the audience `botyard` beside the API server's."""
    apiserver.client.create(_object("ServiceAccount", namespace, "visitor"))
    return token(apiserver, namespace)


def token(apiserver: ApiServer, namespace: str, *audiences: str) -> str:
    spec: dict[str, object] = {"expirationSeconds": 3600}
    if audiences:
        spec["audiences"] = list(audiences)
    answer = apiserver.client.request(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/visitor/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
    )
    return str(answer["status"]["token"])


def _object(kind: str, namespace: str, name: str, **rest: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **rest}


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


class TestTokenReviews:
    async def test_a_service_account_is_known_by_its_token(
        self, client: ApiClient, namespace: str, visitor: str
    ) -> None:
        principal = await TokenReviews(client).authenticate(visitor)
        assert principal is not None
        assert principal.subject == f"system:serviceaccount:{namespace}:visitor"
        assert f"system:serviceaccounts:{namespace}" in principal.groups
        assert principal.permissions is None

    async def test_forged_tokens_are_nobody(self, client: ApiClient, visitor: str) -> None:
        reviews = TokenReviews(client)
        header, claims, signature = visitor.split(".")
        forged = f"{header}.{claims}.{'A' * len(signature)}"
        assert await reviews.authenticate(forged) is None
        assert await reviews.authenticate("x" * 20_000) is None
        assert await reviews.authenticate(None) is None

    async def test_a_token_for_another_audience_is_nobody(
        self, apiserver: ApiServer, client: ApiClient, namespace: str, visitor: str
    ) -> None:
        reviews = TokenReviews(client, audiences=["botyard"])
        assert await reviews.authenticate(visitor) is None
        assert await reviews.authenticate(token(apiserver, namespace, "botyard")) is not None

    async def test_without_an_answer_nobody_is_let_in(self, unreachable: ApiClient, visitor: str) -> None:
        with pytest.raises(Problem) as caught:
            await TokenReviews(unreachable).authenticate(visitor)
        assert caught.value.type.name == "authentication-unavailable"


class TestSubjectAccessReviews:
    @pytest.fixture
    def allowed(self, apiserver: ApiServer, namespace: str) -> Principal:
        """A user who may use one bot."""
        rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "echo", "namespace": namespace}}
        rule = {"apiGroups": [names.GROUP], "resources": ["bots"], "resourceNames": ["echo"], "verbs": ["use"]}
        apiserver.client.create({**rbac, "kind": "Role", "rules": [rule]})
        apiserver.client.create(
            {
                **rbac,
                "kind": "RoleBinding",
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "echo"},
                "subjects": [{"kind": "Group", "name": "talkers", "apiGroup": "rbac.authorization.k8s.io"}],
            }
        )
        return Principal(subject="ann", groups=("talkers",))

    async def test_rbac_decides_by_namespace_name_and_verb(
        self, client: ApiClient, namespace: str, allowed: Principal
    ) -> None:
        reviews = SubjectAccessReviews(client)
        assert await reviews.allowed(allowed, "use", namespace, "echo")
        assert not await reviews.allowed(allowed, "use", namespace, "vault")
        assert not await reviews.allowed(allowed, "use", namespace, "")
        assert not await reviews.allowed(allowed, "use", "default", "echo")
        assert not await reviews.allowed(allowed, "actas", namespace, "echo")
        assert not await reviews.allowed(Principal(subject="ann"), "use", namespace, "echo")

    async def test_without_an_answer_nothing_is_allowed(self, unreachable: ApiClient) -> None:
        with pytest.raises(Problem) as caught:
            await SubjectAccessReviews(unreachable).allowed(Principal(subject="ann"), "use", "shop", "echo")
        assert caught.value.type.name == "authentication-unavailable"


class TestConfigMapRoutes:
    @pytest.fixture
    async def table(self, client: ApiClient, namespace: str) -> AsyncIterator[RoutingTable]:
        found = RoutingTable()
        following = asyncio.create_task(ConfigMapRoutes(client, namespace).run(found))
        yield found
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following

    @staticmethod
    def config_map(
        namespace: str, *routes: Route, text: str | None = None, shard: int = 0, of: int = 1
    ) -> dict[str, object]:
        content = text if text is not None else Routes(routes=routes, shards=of).to_json()
        return _object("ConfigMap", namespace, names.routes_name(shard), data={names.ROUTES_FILE: content})

    async def test_the_table_follows_the_config_map(
        self, apiserver: ApiServer, namespace: str, table: RoutingTable
    ) -> None:
        await until(lambda: table.loaded)
        assert len(table) == 0
        route = Route(namespace="shop", name="echo", ready=False, message="waiting")
        apiserver.client.apply(self.config_map(namespace, route))
        await until(lambda: table.find("shop", "echo"))
        apiserver.client.apply(self.config_map(namespace, route.model_copy(update={"ready": True})))
        await until(lambda: (found := table.find("shop", "echo")) and found.ready)
        apiserver.client.delete(self.config_map(namespace))
        await until(lambda: len(table) == 0)

    async def test_a_table_of_many_bots_fits_in_one_event(
        self, apiserver: ApiServer, namespace: str, table: RoutingTable
    ) -> None:
        await until(lambda: table.loaded)
        routes = [Route(namespace="shop", name=f"bot-{number}", message="m" * 500) for number in range(1_200)]
        apiserver.client.apply(self.config_map(namespace, *routes))
        await until(lambda: len(table) == 1_200)

    async def test_a_table_that_outgrows_one_config_map_is_followed_into_the_next(
        self, apiserver: ApiServer, namespace: str, table: RoutingTable
    ) -> None:
        routes = [Route(namespace="shop", name=f"bot-{number}") for number in range(4)]
        apiserver.client.apply(self.config_map(namespace, *routes))
        await until(lambda: len(table) == 4)
        apiserver.client.apply(self.config_map(namespace, *routes[2:], shard=1, of=2))
        apiserver.client.apply(self.config_map(namespace, routes[0], of=2))
        await until(lambda: len(table) == 3)
        apiserver.client.apply(self.config_map(namespace, routes[3], shard=1, of=2))
        await until(lambda: [route.name for route in table] == ["bot-0", "bot-3"])

    async def test_a_broken_table_leaves_the_last_good_one(
        self, apiserver: ApiServer, namespace: str, table: RoutingTable
    ) -> None:
        apiserver.client.apply(self.config_map(namespace, Route(namespace="shop", name="echo")))
        await until(lambda: len(table) == 1)
        apiserver.client.apply(self.config_map(namespace, text='{"routes": [{"name": 1}]}'))
        other = Route(namespace="shop", name="other")
        apiserver.client.apply(self.config_map(namespace, Route(namespace="shop", name="echo"), other))
        await until(lambda: len(table) == 2)

    async def test_a_server_that_cannot_be_reached_is_asked_again(self, unreachable: ApiClient) -> None:
        table = RoutingTable()
        following = asyncio.create_task(ConfigMapRoutes(unreachable, "any").run(table))
        await asyncio.sleep(0.5)
        assert not following.done()
        assert not table.loaded
        following.cancel()
