"""Configurations of the simulated platform's pipelines, indexes and templates."""

RAG = """\
# {title}
# Owner: {owner}. Change the prompt only together with the evaluation set.
components:
  retriever:  # keywords and vectors together
    type: haystack_integrations.components.retrievers.opensearch.open_search_hybrid_retriever.OpenSearchHybridRetriever
    init_parameters:
      document_store:
        type: haystack_integrations.document_stores.opensearch.document_store.OpenSearchDocumentStore
        init_parameters:
          index: {index}
          max_chunk_bytes: 104857600
          embedding_dim: 768
          return_embedding: false
          create_index: true
          http_auth:
          use_ssl:
          timeout:
      top_k: {top_k}
      fuzziness: 0
  ranker:
    type: haystack.components.rankers.sentence_transformers_similarity.SentenceTransformersSimilarityRanker
    init_parameters:
      model: intfloat/simlm-msmarco-reranker
      top_k: 8
  prompt_builder:
    type: haystack.components.builders.prompt_builder.PromptBuilder
    init_parameters:
      required_variables: "*"
      template: |-
        You are a technical expert for {topic}.
        You answer questions truthfully based on provided documents.
        If the answer exists in several documents, summarize them.
        Ignore documents that do not contain the answer to the question.
        Only answer based on the documents provided. Do not make things up.
        Always use references in the form [NUMBER OF DOCUMENT] when using information from a document.
        These are the documents:
        {{%- if documents|length > 0 %}}
        {{%- for document in documents %}}
        Document [{{{{ loop.index }}}}] :
        Name of Source File: {{{{ document.meta.file_name }}}}
        {{{{ document.content }}}}
        {{% endfor -%}}
        {{%- else %}}
        No relevant documents found.
        {{% endif %}}

        Question: {{{{ question }}}}
        Answer:
  llm:
    type: haystack.components.generators.openai.OpenAIGenerator
    init_parameters:
      api_key: {{"type": "env_var", "env_vars": ["OPENAI_API_KEY"], "strict": false}}
      model: {model}
      generation_kwargs:
        max_tokens: 650
        temperature: {temperature}
        seed: 0
  answer_builder:
    type: haystack.components.builders.answer_builder.AnswerBuilder
    init_parameters:
      reference_pattern: acm
connections:  # who gives what to whom
  - sender: retriever.documents
    receiver: ranker.documents
  - sender: ranker.documents
    receiver: prompt_builder.documents
  - sender: ranker.documents
    receiver: answer_builder.documents
  - sender: prompt_builder.prompt
    receiver: llm.prompt
  - sender: prompt_builder.prompt
    receiver: answer_builder.prompt
  - sender: llm.replies
    receiver: answer_builder.replies
inputs:
  query:
    - retriever.query
    - ranker.query
    - prompt_builder.question
    - answer_builder.query
  filters:
    - retriever.filters
outputs:
  documents: ranker.documents
  answers: answer_builder.answers
max_runs_per_component: 100
metadata: {{}}
"""

INDEXING = """\
# Index {name}: {topic}
components:
  file_classifier:
    type: haystack.components.routers.file_type_router.FileTypeRouter
    init_parameters:
      mime_types:
        - text/plain
        - application/pdf
        - text/html
  pdf_converter:
    type: haystack.components.converters.pypdf.PyPDFToDocument
    init_parameters: {{}}
  splitter:
    type: haystack.components.preprocessors.document_splitter.DocumentSplitter
    init_parameters:
      split_by: word
      split_length: {split_length}  # words
      split_overlap: 30
      respect_sentence_boundary: true
      language: en
  embedder:
    type: haystack.components.embedders.sentence_transformers_document_embedder.SentenceTransformersDocumentEmbedder
    init_parameters:
      model: intfloat/e5-base-v2
  writer:
    type: haystack.components.writers.document_writer.DocumentWriter
    init_parameters:
      policy: OVERWRITE
connections:
  - sender: file_classifier.application/pdf
    receiver: pdf_converter.sources
  - sender: pdf_converter.documents
    receiver: splitter.documents
  - sender: splitter.documents
    receiver: embedder.documents
  - sender: embedder.documents
    receiver: writer.documents
inputs:
  files:
    - file_classifier.sources
max_runs_per_component: 100
metadata: {{}}
"""


def rag_yaml(title: str, topic: str, number: int) -> str:
    """Write a question-answering pipeline; each number gives another one."""
    return RAG.format(
        title=title,
        topic=topic,
        owner=("search team", "support team", "platform team")[number % 3],
        index=f"{topic.replace(' ', '-')}-files",
        top_k=10 + number % 21,
        model=("gpt-4o", "gpt-4o-mini", "gpt-4.1")[number % 3],
        temperature=round((number % 5) * 0.2, 1),
    )


def indexing_yaml(name: str, topic: str, number: int) -> str:
    """Write an index; each number gives another one."""
    return INDEXING.format(name=name, topic=topic, split_length=150 + 50 * (number % 5))
