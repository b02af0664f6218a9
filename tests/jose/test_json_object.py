"""Strict JSON: what two parsers could read in two ways, nobody reads here."""

import json
import math
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authx.jose.json_object import NotAnObjectError, dump_object, load_object

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**300), max_value=10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=6)


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    """Write an object in which values are nested to a depth, the object itself being the first level."""
    return f'{{"a":{opening * (depth - 1)}{closing * (depth - 1)}}}'.encode()


def towering(depth: int) -> dict[str, object]:
    """Build an object too deep for the standard library to write."""
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":1}', id="equal values"),
        pytest.param(b'{"a":1,"a":2}', id="two values"),
        pytest.param(b'{"a":1,"b":2,"a":3}', id="not neighbours"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="one of them escaped"),
        pytest.param(b'{"":1,"":2}', id="empty names"),
        pytest.param(b'{"o":{"a":1,"a":2}}', id="an object inside"),
        pytest.param(b'{"o":[{"a":1,"a":2}]}', id="an object in an array"),
        pytest.param(b'{"o":[[{"p":{"q":{"a":1,"a":2}}}]]}', id="four levels down"),
        pytest.param(b'{"o":{"a":1},"p":{"a":1},"o":{"a":1}}', id="names of objects"),
        pytest.param('{"é":1,"\\u00e9":2}'.encode(), id="beyond ASCII"),
    ],
)
def test_a_name_that_occurs_twice_is_refused_at_every_depth(text):
    with pytest.raises(ValueError):
        load_object(text)


@pytest.mark.parametrize("depth", [2, 10, 100, 250])
def test_a_name_that_occurs_twice_is_found_below_any_number_of_objects(depth):
    text = b'{"o":' * depth + b'{"a":1,"a":2}' + b"}" * depth
    with pytest.raises(ValueError):
        load_object(text)


def test_the_same_name_in_two_objects_is_no_duplicate():
    assert load_object(b'{"a": {"a": 1}, "b": {"a": 2}}') == {"a": {"a": 1}, "b": {"a": 2}}


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E999999", "1" + "0" * 400 + ".0", "nan", "inf"],
)
@pytest.mark.parametrize("form", ['{"a":%s}', '{"a": %s}', '{"a":[[%s]]}'])
def test_a_number_that_is_not_finite_is_refused(number, form):
    with pytest.raises(ValueError):
        load_object((form % number).encode())


@pytest.mark.parametrize(
    "number",
    [
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2**64,
        2**64 + 1,
        -(2**63) - 1,
        10**30 + 1,
        10**300 + 7,
        -(10**300) - 7,
    ],
)
def test_integers_are_exact_however_large(number):
    claims = load_object(f'{{"a":{number}}}'.encode())
    assert claims == {"a": number}
    assert type(claims["a"]) is int


@pytest.mark.parametrize("digits", [309, 400, 4300, 4301, 5000, 100_000])
def test_an_integer_beyond_the_range_of_floats_is_refused_as_bad_input(digits):
    with pytest.raises(ValueError):
        load_object(f'{{"a":{"9" * digits}}}'.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [("1E5", 100000.0), ("0.1e1", 1.0), ("-0", 0), ("1e-400", 0.0), ("1.10", 1.1), ("-0.0", 0.0), ("12e0", 12.0)],
)
def test_unusual_spellings_of_numbers_are_read_as_the_numbers_they_are(text, value):
    assert load_object(f'{{"a":{text}}}'.encode()) == {"a": value}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" ", id="a space"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="a byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16 with a mark"),
        pytest.param('{"a":1}'.encode("utf-16-le"), id="UTF-16LE"),
        pytest.param('{"a":1}'.encode("utf-16-be"), id="UTF-16BE"),
        pytest.param('{"a":1}'.encode("utf-32"), id="UTF-32 with a mark"),
        pytest.param('{"a":1}'.encode("utf-32-le"), id="UTF-32LE"),
        pytest.param('{"a":1}'.encode("utf-32-be"), id="UTF-32BE"),
        pytest.param(b'{"a":"\xff"}', id="no UTF-8 at all"),
        pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="an overlong slash"),
        pytest.param(b'{"a":"\xe0\x80\xaf"}', id="an overlong slash in three bytes"),
        pytest.param(b'{"a":"\xed\xa0\xbd\xed\xb8\x80"}', id="CESU-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"a":"\xf4\x90\x80\x80"}', id="beyond U+10FFFF"),
        pytest.param(b'{"a":"\\ud800"}', id="a lone high surrogate"),
        pytest.param(b'{"a":"\\udc00"}', id="a lone low surrogate"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', id="a pair of surrogates the wrong way round"),
        pytest.param(b'{"\\ud800":1}', id="a lone surrogate in a name"),
        pytest.param(b'{"a":1}x', id="something behind"),
        pytest.param(b'{"a":1}{"a":1}', id="a second object"),
        pytest.param(b'{"a":1}\0', id="NUL behind"),
        pytest.param(b'{"a":1}\xc2\xa0', id="a no-break space behind"),
        pytest.param(b'{"a":1,}', id="a trailing comma"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"{a:1}", id="a bare name"),
        pytest.param(b'{"a":1}//x', id="a comment"),
        pytest.param(b'{/**/"a":1}', id="a comment inside"),
        pytest.param(b'{"a":01}', id="a leading zero"),
        pytest.param(b'{"a":+1}', id="a plus sign"),
        pytest.param(b'{"a":.5}', id="a bare fraction"),
        pytest.param(b'{"a":5.}', id="a bare point"),
        pytest.param(b'{"a":0x1}', id="hexadecimal"),
        pytest.param(b'{"a":1_000}', id="a digit separator"),
        pytest.param(b'{"a":"\n"}', id="a raw newline in a text"),
        pytest.param(b'{"a":"\0"}', id="a raw NUL in a text"),
        pytest.param(b'{"a":"\\x41"}', id="an unknown escape"),
        pytest.param(b'{"a":"', id="an unfinished text"),
        pytest.param(b'{"a"', id="an unfinished object"),
        pytest.param(b'{"a":True}', id="a constant of another language"),
        pytest.param(b'{"a":undefined}', id="undefined"),
    ],
)
def test_what_is_not_strict_json_in_utf_8_is_refused(text):
    with pytest.raises(ValueError):
        load_object(text)


@pytest.mark.parametrize("text", [b"[]", b'"x"', b"1", b"null", b"true", b"[{}]", b"-0.5", b" [1] "])
def test_json_that_is_no_object_is_refused_as_such(text):
    with pytest.raises(NotAnObjectError):
        load_object(text)


def test_white_space_around_and_inside_is_json():
    assert load_object(b' \t\r\n{ "a" :\n[ 1 , 2 ] } \n') == {"a": [1, 2]}


def test_an_escaped_nul_is_json():
    assert load_object(b'{"a":"\\u0000"}') == {"a": "\0"}


@pytest.mark.parametrize("depth", [2, 3, 253, 254])
def test_nesting_is_read_to_254_levels(depth):
    assert load_object(nested(depth)) == json.loads(nested(depth))


@pytest.mark.parametrize("depth", [255, 256, 1000, 1024, 1025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), (" [", "]")])
def test_deeper_nesting_is_refused_as_bad_input(depth, opening, closing):
    inner = "1" if opening != "[" else ""
    text = f'{{"a":{opening * (depth - 1)}{inner}{closing * (depth - 1)}}}'.encode()
    with pytest.raises(ValueError):
        load_object(text)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a":['])
def test_a_hundred_thousand_openings_without_an_end_are_refused_as_bad_input(opening):
    with pytest.raises(ValueError):
        load_object(opening * 100_000)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrap", [lambda x: {"a": x}, lambda x: {"a": [1, [x]]}, lambda x: {"a": {"b": {"c": x}}}])
def test_a_number_that_is_not_finite_is_never_written(number, wrap):
    with pytest.raises(ValueError):
        dump_object(wrap(number))


def test_a_number_that_is_not_finite_is_never_written_beside_a_real_null():
    with pytest.raises(ValueError):
        dump_object({"a": None, "b": "null", "c": [math.nan]})


def test_a_number_that_is_not_finite_is_never_written_from_inside_another_object():
    @dataclass
    class Point:
        x: float

    with pytest.raises((TypeError, ValueError)):
        dump_object({"a": Point(math.nan)})


@pytest.mark.parametrize("value", [{"a": None}, {"a": [None, {"b": None}]}, {"null": "null", "a": None}])
def test_null_is_written(value):
    assert load_object(dump_object(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        {1: "x"},
        {"a": {1: "x"}},
        {"a": [{None: "x"}]},
        {True: 1},
        {"a": 2**70, "b": {1: 2}},
    ],
    ids=str,
)
def test_a_name_that_is_no_text_is_refused_at_writing(value):
    with pytest.raises(TypeError):
        dump_object(value)


def test_two_names_that_would_become_one_are_refused_at_writing():
    with pytest.raises((TypeError, ValueError)):
        dump_object({"a": {1: "x", "1": "y"}})


@pytest.mark.parametrize("value", [{"a": (1, 2)}, {"a": (1, 2), "b": 2**70}, {"a": [(None,)]}], ids=str)
def test_a_tuple_is_written_as_an_array(value):
    assert load_object(dump_object(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "value", [{"a": object()}, {"a": {1, 2}}, {"a": b"x"}, {"a": 1j}], ids=["object", "set", "bytes", "complex"]
)
def test_a_value_that_json_does_not_have_is_refused_at_writing(value):
    with pytest.raises(TypeError):
        dump_object(value)


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"\udfff": 1}, {"a": ["x\udc00y"]}], ids=ascii)
def test_a_lone_surrogate_is_refused_at_writing(value):
    with pytest.raises(ValueError):
        dump_object(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(json.loads(nested(255)), id="255 levels"),
        pytest.param(json.loads(nested(300)), id="300 levels"),
        pytest.param(towering(5000), id="5000 levels"),
        pytest.param({"a": 10**309}, id="an integer that no float reaches"),
        pytest.param({"a": -(10**400)}, id="a negative one"),
        pytest.param({"a": 10**5000}, id="an integer of 5000 digits"),
    ],
)
def test_what_would_be_refused_at_reading_is_refused_at_writing(value):
    with pytest.raises(ValueError):
        dump_object(value)


def test_members_are_written_in_the_order_given_and_compactly():
    assert dump_object({"b": 1, "a": [1, 2], "é": "ü"}) == '{"b":1,"a":[1,2],"é":"ü"}'.encode()


@given(OBJECTS)
def test_what_is_written_is_read_back_equal(value):
    assert load_object(dump_object(value)) == value


@given(OBJECTS, st.sampled_from([None, 1, 4, "\t"]), st.booleans())
def test_what_another_writer_wrote_is_read_as_it_was_meant(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert load_object(text.encode()) == value


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_read_or_refused_and_nothing_else_happens(raw):
    try:
        value = load_object(raw)
    except ValueError:
        return
    assert value == orjson.loads(raw)
