"""The tables; each statement may be run again."""

LOCK = 0x626F7479617264
"""Number of the advisory lock under which tables are made."""

STATEMENTS = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "CREATE SCHEMA IF NOT EXISTS botyard_workflow",
    """CREATE TABLE IF NOT EXISTS botyard_workflow.messages (
        scope text NOT NULL,
        id text NOT NULL,
        user_id text,
        conversation_id text NOT NULL,
        turn_id text,
        role text NOT NULL,
        text text NOT NULL,
        tags text[] NOT NULL DEFAULT '{}',
        payload jsonb,
        at timestamptz NOT NULL DEFAULT now(),
        number bigint GENERATED ALWAYS AS IDENTITY,
        words tsvector GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED,
        embedding vector,
        PRIMARY KEY (scope, id)
    )""",
    "CREATE INDEX IF NOT EXISTS messages_words ON botyard_workflow.messages USING gin (words)",
    "CREATE INDEX IF NOT EXISTS messages_place ON botyard_workflow.messages (scope, conversation_id, number)",
    """CREATE TABLE IF NOT EXISTS botyard_workflow.passages (
        scope text NOT NULL,
        collection text NOT NULL,
        document text NOT NULL,
        number int NOT NULL,
        title text NOT NULL,
        uri text,
        heading text NOT NULL,
        text text NOT NULL,
        metadata jsonb,
        words tsvector GENERATED ALWAYS AS
            (setweight(to_tsvector('simple', heading), 'A') || to_tsvector('simple', text)) STORED,
        embedding vector,
        PRIMARY KEY (scope, collection, document, number)
    )""",
    "CREATE INDEX IF NOT EXISTS passages_words ON botyard_workflow.passages USING gin (words)",
)

ANY_WORD = "replace(plainto_tsquery('simple', {0})::text, '&', '|')::tsquery"
"""A query for any of the words of a parameter; nothing in them is an operator."""
