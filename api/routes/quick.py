"""A route that is asked so often that what FastAPI does for each request counts."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.dependencies import services_of


class QuickRoute(APIRoute):
    """Without a query the endpoint is called with its own defaults; with one FastAPI reads and checks it.

    The endpoint's only parameters without a default are ``request`` and ``services``, and it answers with a response.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        usual = super().get_route_handler()
        endpoint = self.endpoint

        async def handler(request: Request) -> Response:
            if request.scope["query_string"]:
                return await usual(request)
            answer: Response = await endpoint(request=request, services=await services_of(request))
            return answer

        return handler
