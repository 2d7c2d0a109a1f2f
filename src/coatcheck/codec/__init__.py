"""Encodes Python values as stored bytes and decodes them; the only package that uses orjson."""

from coatcheck.codec.characters import well_formed
from coatcheck.codec.chunked.async_codec import (
    DECODED_AT_ONCE,
    adecode,
    adump_line,
    aencode,
    aload_json,
    amap,
    free_chunks,
    is_json,
    is_strict_json,
    splice_text,
)
from coatcheck.codec.chunked.decoder import Chunks
from coatcheck.codec.chunked.yield_budget import YieldBudget
from coatcheck.codec.compression import compress, decompress, require_zstd
from coatcheck.codec.decoding import decode, decode_result, open_json_text, start_of_text
from coatcheck.codec.encoding import (
    Encoded,
    dump_each_shown,
    dump_json,
    dump_line,
    dump_plain,
    dump_shown,
    encode,
    json_length,
    json_type,
    readable_part,
    replace_escaped_surrogates,
    well_formed_value,
)
from coatcheck.codec.envelope import CODEC_NAME, HEAD_BYTES, JsonType, Kind, Metadata, pack, unpack, unpack_metadata
from coatcheck.codec.exact_json import BEYOND_64_BITS, has_digits, load_exactly, load_json, parse_exactly
from coatcheck.codec.json_encoders import CLIENT_LEVELS, PART_LEVELS, Spliced, is_deeper
from coatcheck.codec.tool_results import ToolResult, is_large_result, result_text, result_value, seen_texts

__all__ = [
    "BEYOND_64_BITS",
    "CLIENT_LEVELS",
    "CODEC_NAME",
    "DECODED_AT_ONCE",
    "HEAD_BYTES",
    "PART_LEVELS",
    "Chunks",
    "Encoded",
    "JsonType",
    "Kind",
    "Metadata",
    "Spliced",
    "ToolResult",
    "YieldBudget",
    "adecode",
    "adump_line",
    "aencode",
    "aload_json",
    "amap",
    "compress",
    "decode",
    "decode_result",
    "decompress",
    "dump_each_shown",
    "dump_json",
    "dump_line",
    "dump_plain",
    "dump_shown",
    "encode",
    "free_chunks",
    "has_digits",
    "is_deeper",
    "is_json",
    "is_large_result",
    "is_strict_json",
    "json_length",
    "json_type",
    "load_exactly",
    "load_json",
    "open_json_text",
    "pack",
    "parse_exactly",
    "readable_part",
    "replace_escaped_surrogates",
    "require_zstd",
    "result_text",
    "result_value",
    "seen_texts",
    "splice_text",
    "start_of_text",
    "unpack",
    "unpack_metadata",
    "well_formed",
    "well_formed_value",
]
