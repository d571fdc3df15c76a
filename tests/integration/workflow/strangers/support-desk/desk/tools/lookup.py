import asyncio

from kdcube_ai_app.infra.accounting import ServiceUsage, track_embedding, track_llm, with_accounting

from .. import BUNDLE_ID


def _provider(*args, **kwargs):
    return "acme"


def _model(*args, model="acme-small", **kwargs):
    return model


@track_llm(
    provider_extractor=_provider,
    model_extractor=_model,
    usage_extractor=lambda result, *a, **kw: ServiceUsage(
        input_tokens=result["in"], output_tokens=result["out"], total_tokens=result["in"] + result["out"], requests=1
    ),
    metadata_extractor=lambda *a, **kw: {"phase": "classify"},
)
async def classify(question, model="acme-small"):
    await asyncio.sleep(0)
    return {"label": "refund" if "money" in question else "other", "in": len(question), "out": 1}


@track_embedding(provider_extractor=_provider, model_extractor=lambda *a, **kw: "acme-embed")
def embed(texts):
    return [[float(len(text))] for text in texts]


async def search(question):
    with with_accounting(f"{BUNDLE_ID}.search", metadata={"k": 3}):
        embed([question])
    async with with_accounting(f"{BUNDLE_ID}.classify", metadata={"phase": "rerank", "k": 50}):
        return await classify(question)
