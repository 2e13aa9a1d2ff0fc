-- What the values of people's questions are calculated with; run after every
-- migration, repeatable. saas/internal/cypher compiles openCypher to SQL that
-- calls these where SQL's own operators mean something else: for values whose
-- type is known when the question is answered, as jsonb, in which a number that
-- has a decimal point is a float. Null is SQL's.
--
-- CY001 is a value of the wrong type, CY002 one that grows too large. Their
-- messages are shown to who asked.
CREATE SCHEMA IF NOT EXISTS cypher;
REVOKE ALL ON SCHEMA cypher FROM PUBLIC;
GRANT USAGE ON SCHEMA cypher TO @readers@;

CREATE OR REPLACE FUNCTION cypher.value(x ag_catalog.agtype) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN nullif((ag_catalog.agtype_out(x)::text)::jsonb, 'null'::jsonb);

CREATE OR REPLACE FUNCTION cypher.node(id ag_catalog.graphid, label text, properties ag_catalog.agtype) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN id IS NOT NULL THEN jsonb_build_object('id', (id::text)::bigint, 'label', label,
        'properties', (ag_catalog.agtype_out(properties)::text)::jsonb) END;

CREATE OR REPLACE FUNCTION cypher.relationship(id ag_catalog.graphid, type text, start_id ag_catalog.graphid, end_id ag_catalog.graphid, properties ag_catalog.agtype)
    RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN id IS NOT NULL THEN jsonb_build_object('id', (id::text)::bigint, 'type', type, 'start_id', (start_id::text)::bigint,
        'end_id', (end_id::text)::bigint, 'properties', (ag_catalog.agtype_out(properties)::text)::jsonb) END;

-- In words, for messages.
CREATE OR REPLACE FUNCTION cypher.kind(x jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE jsonb_typeof(x) WHEN 'object' THEN 'a map' WHEN 'array' THEN 'a list' WHEN 'string' THEN 'a string' WHEN 'number' THEN 'a number'
        WHEN 'boolean' THEN 'a boolean' ELSE 'null' END;

-- Values of one type. what names who asks for it.
CREATE OR REPLACE FUNCTION cypher.text(x jsonb, what text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'string' THEN RETURN x #>> '{}'; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s takes a string; this value is %s', what, cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.int(x jsonb, what text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'number' AND scale(x::numeric) = 0 THEN RETURN x::bigint; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s takes a whole number; this value is %s', what,
        CASE WHEN jsonb_typeof(x) = 'number' THEN 'a number with a decimal point' ELSE cypher.kind(x) END);
END $$;

CREATE OR REPLACE FUNCTION cypher.number(x jsonb, what text) RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'number' THEN RETURN x::double precision; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s takes a number; this value is %s', what, cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.bool(x jsonb, what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'boolean' THEN RETURN x::boolean; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s takes a condition; this value is %s', what, cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.list(x jsonb, what text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'array' THEN RETURN x; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s takes a list; this value is %s', what, cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.float(x double precision) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF x = 'NaN' OR x = 'Infinity' OR x = '-Infinity' THEN
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = 'a number is too large, or not a number';
    END IF;
    RETURN to_jsonb(x::text::numeric + 0.0);
END $$;

-- How large a value may grow, in bytes. Postgres keeps all values of a row until
-- the next, so that who calculates much in one row may do so with small values
-- only: the service sets cypher.most for each question. It is STABLE, or the plans
-- that a session keeps of the functions below would know it from the first question.
CREATE OR REPLACE FUNCTION cypher.most() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(nullif(current_setting('cypher.most', true), '')::bigint, 65536);

CREATE OR REPLACE FUNCTION cypher.too_large(what text, most bigint) RETURNS void LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'CY002', MESSAGE = format('%s larger than %s KiB, which is the most where a question calculates as much as this one; use LIMIT, or gather less', what, most >> 10);
END $$;

-- What is gathered in one list: weight is in bytes, about.
CREATE OR REPLACE FUNCTION cypher.within(weight numeric) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF weight > 65536 AND weight > 2 * cypher.most() THEN PERFORM cypher.too_large('a list grows', 2 * cypher.most()); END IF;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION cypher.list_of(VARIADIC items jsonb[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF pg_column_size(items) > cypher.most() THEN PERFORM cypher.too_large('a list grows', cypher.most()); END IF;
    RETURN to_jsonb(items);
END $$;

CREATE OR REPLACE FUNCTION cypher.map_of(names text[], items jsonb[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF pg_column_size(items) > cypher.most() THEN PERFORM cypher.too_large('a map grows', cypher.most()); END IF;
    RETURN (SELECT coalesce(jsonb_object_agg(n, i), '{}') FROM unnest(names, items) AS u (n, i));
END $$;

CREATE OR REPLACE FUNCTION cypher.join(a text, b text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(a) + octet_length(b) > least(cypher.most(), 1 << 20) THEN PERFORM cypher.too_large('a string grows', least(cypher.most(), 1 << 20)); END IF;
    RETURN a || b;
END $$;

CREATE OR REPLACE FUNCTION cypher.replace(x text, old text, new text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    times bigint := (octet_length(x) - octet_length(replace(x, old, ''))) / greatest(octet_length(old), 1);
BEGIN
    IF octet_length(x) + times * (octet_length(new) - octet_length(old)) > least(cypher.most(), 1 << 20) THEN
        PERFORM cypher.too_large('replace() makes a string', least(cypher.most(), 1 << 20));
    END IF;
    RETURN replace(x, old, new);
END $$;

-- Comparison: null where an answer depends on a null within, or on unlike types.
CREATE OR REPLACE FUNCTION cypher.eq(a jsonb, b jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    ta text := jsonb_typeof(a);
    tb text := jsonb_typeof(b);
    unknown boolean := false;
    name text;
    e boolean;
BEGIN
    IF ta = 'null' OR tb = 'null' THEN RETURN NULL; END IF;
    IF ta <> tb THEN RETURN false; END IF;
    IF ta NOT IN ('array', 'object') THEN RETURN a = b; END IF;
    IF strpos(a::text, 'null') = 0 AND strpos(b::text, 'null') = 0 THEN RETURN a = b; END IF;
    IF ta = 'array' THEN
        IF jsonb_array_length(a) <> jsonb_array_length(b) THEN RETURN false; END IF;
        FOR i IN 0 .. jsonb_array_length(a) - 1 LOOP
            e := cypher.eq(a -> i, b -> i);
            IF NOT e THEN RETURN false; END IF;
            unknown := unknown OR e IS NULL;
        END LOOP;
    ELSE
        FOR name IN SELECT jsonb_object_keys(a) UNION SELECT jsonb_object_keys(b) LOOP
            IF NOT (a ? name AND b ? name) THEN RETURN false; END IF;
            e := cypher.eq(a -> name, b -> name);
            IF NOT e THEN RETURN false; END IF;
            unknown := unknown OR e IS NULL;
        END LOOP;
    END IF;
    RETURN CASE WHEN unknown THEN NULL ELSE true END;
END $$;

CREATE OR REPLACE FUNCTION cypher.less(a jsonb, b jsonb, equal boolean) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    ta text := jsonb_typeof(a);
    e boolean;
BEGIN
    IF ta <> jsonb_typeof(b) THEN RETURN NULL; END IF;
    CASE ta
    WHEN 'number', 'boolean' THEN
        RETURN CASE WHEN equal THEN a <= b ELSE a < b END;
    WHEN 'string' THEN
        RETURN CASE WHEN equal THEN (a #>> '{}') COLLATE "C" <= (b #>> '{}') ELSE (a #>> '{}') COLLATE "C" < (b #>> '{}') END;
    WHEN 'array' THEN
        FOR i IN 0 .. least(jsonb_array_length(a), jsonb_array_length(b)) - 1 LOOP
            e := cypher.eq(a -> i, b -> i);
            IF e IS NULL THEN RETURN NULL; END IF;
            IF NOT e THEN RETURN cypher.less(a -> i, b -> i, false); END IF;
        END LOOP;
        RETURN CASE WHEN equal THEN jsonb_array_length(a) <= jsonb_array_length(b) ELSE jsonb_array_length(a) < jsonb_array_length(b) END;
    ELSE
        RETURN NULL;
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.contained(x jsonb, list jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    item jsonb;
    unknown boolean := false;
    e boolean;
BEGIN
    IF list IS NULL THEN RETURN NULL; END IF;
    IF cypher.list(list, 'IN') = '[]' THEN RETURN false; END IF;
    IF x IS NULL THEN RETURN NULL; END IF;
    IF jsonb_typeof(x) NOT IN ('array', 'object') THEN
        RETURN CASE WHEN list @> x THEN true WHEN list @> 'null' THEN NULL ELSE false END;
    END IF;
    FOR item IN SELECT jsonb_array_elements(list) LOOP
        e := cypher.eq(x, item);
        IF e THEN RETURN true; END IF;
        unknown := unknown OR e IS NULL;
    END LOOP;
    RETURN CASE WHEN unknown THEN NULL ELSE false END;
END $$;

-- Order of values of any type: maps, lists, strings, booleans, numbers; null, as
-- SQL's, last.
CREATE OR REPLACE FUNCTION cypher.rank(x jsonb) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(x) WHEN 'object' THEN 1 WHEN 'array' THEN 4 WHEN 'string' THEN 6 WHEN 'boolean' THEN 7 WHEN 'number' THEN 8 ELSE 9 END;

CREATE OR REPLACE FUNCTION cypher.sort_key(x jsonb) RETURNS bytea LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    key bytea := decode(lpad(to_hex(coalesce(cypher.rank(x), 9)), 2, '0'), 'hex');
    bits bit(64);
    item jsonb;
    name text;
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'string' THEN
        RETURN key || convert_to(x #>> '{}', 'UTF8') || '\x00';
    WHEN 'boolean' THEN
        RETURN key || CASE WHEN x::boolean THEN '\x02'::bytea ELSE '\x01' END;
    WHEN 'number' THEN
        bits := ('x' || encode(float8send(x::double precision), 'hex'))::bit(64);
        IF get_bit(bits, 0) = 1 THEN bits := ~ bits; ELSE bits := set_bit(bits, 0, 1); END IF;
        RETURN key || int8send(bits::bigint);
    WHEN 'array' THEN
        FOR item IN SELECT jsonb_array_elements(x) LOOP key := key || cypher.sort_key(item); END LOOP;
        RETURN key || '\x00';
    WHEN 'object' THEN
        FOR name, item IN SELECT k, v FROM jsonb_each(x) AS e (k, v) ORDER BY k COLLATE "C" LOOP
            key := key || convert_to(name, 'UTF8') || '\x00' || cypher.sort_key(item);
        END LOOP;
        RETURN key || '\x00';
    ELSE
        RETURN key;
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.sort_number(x jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(x) WHEN 'number' THEN x::numeric WHEN 'boolean' THEN (x::boolean)::integer::numeric END;

CREATE OR REPLACE FUNCTION cypher.sort_text(x jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE jsonb_typeof(x) WHEN 'string' THEN x #>> '{}' END;

CREATE OR REPLACE FUNCTION cypher.sort_list(x jsonb) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN jsonb_typeof(x) IN ('array', 'object') THEN cypher.sort_key(x) END;

CREATE OR REPLACE FUNCTION cypher.before(a jsonb, b jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN cypher.rank(a) <> cypher.rank(b) THEN cypher.rank(a) < cypher.rank(b)
        WHEN jsonb_typeof(a) IN ('array', 'object') THEN cypher.sort_key(a) < cypher.sort_key(b)
        ELSE cypher.less(a, b, false)
    END;
END $$;

CREATE OR REPLACE FUNCTION cypher.lesser(a jsonb, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN cypher.before(b, a) THEN b ELSE a END;
END $$;

CREATE OR REPLACE FUNCTION cypher.greater(a jsonb, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN cypher.before(a, b) THEN b ELSE a END;
END $$;

-- Calculation. Whole numbers stay whole, and what leaves 64 bits is an error.
CREATE OR REPLACE FUNCTION cypher.calc(a jsonb, op text, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    x double precision;
    y double precision;
BEGIN
    IF jsonb_typeof(a) <> 'number' OR jsonb_typeof(b) <> 'number' THEN
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s calculates with numbers; these values are %s and %s', op, cypher.kind(a), cypher.kind(b));
    END IF;
    IF scale(a::numeric) = 0 AND scale(b::numeric) = 0 THEN
        RETURN to_jsonb(CASE op WHEN '+' THEN a::bigint + b::bigint WHEN '-' THEN a::bigint - b::bigint WHEN '*' THEN a::bigint * b::bigint
            WHEN '/' THEN a::bigint / b::bigint WHEN '%' THEN a::bigint % b::bigint END);
    END IF;
    x := a::double precision;
    y := b::double precision;
    RETURN cypher.float(CASE op WHEN '+' THEN x + y WHEN '-' THEN x - y WHEN '*' THEN x * y WHEN '/' THEN x / y
        WHEN '%' THEN x - y * trunc(x / y) END);
END $$;

CREATE OR REPLACE FUNCTION cypher.string(x jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'string' THEN RETURN x #>> '{}';
    WHEN 'number', 'boolean' THEN RETURN x::text;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s cannot be made a string', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.append(a jsonb, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF pg_column_size(a) + pg_column_size(b) > cypher.most() THEN PERFORM cypher.too_large('a list grows', cypher.most()); END IF;
    RETURN a || b;
END $$;

CREATE OR REPLACE FUNCTION cypher.plus(a jsonb, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    ta text := jsonb_typeof(a);
    tb text := jsonb_typeof(b);
BEGIN
    IF ta = 'number' AND tb = 'number' THEN RETURN cypher.calc(a, '+', b); END IF;
    IF ta = 'array' OR tb = 'array' THEN
        RETURN cypher.append(CASE WHEN ta = 'array' THEN a ELSE jsonb_build_array(a) END, CASE WHEN tb = 'array' THEN b ELSE jsonb_build_array(b) END);
    END IF;
    IF ta IN ('string', 'number') AND tb IN ('string', 'number') THEN RETURN to_jsonb(cypher.join(cypher.string(a), cypher.string(b))); END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('+ adds numbers and joins strings and lists; these values are %s and %s', cypher.kind(a), cypher.kind(b));
END $$;

CREATE OR REPLACE FUNCTION cypher.negative(x jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN cypher.calc('0', '-', x);
END $$;

CREATE OR REPLACE FUNCTION cypher.abs(x jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN cypher.number(x, 'abs()') < 0 THEN cypher.calc('0', '-', x) ELSE x END;
END $$;

-- Parts of values.
CREATE OR REPLACE FUNCTION cypher.prop(x jsonb, name text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'object' THEN RETURN nullif(x -> name, 'null'); END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s has no properties', cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.item(x jsonb, i jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n bigint;
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'array' THEN
        n := cypher.int(i, 'the index of a list');
        RETURN CASE WHEN n BETWEEN -2147483648 AND 2147483647 THEN nullif(x -> n::integer, 'null') END;
    WHEN 'object' THEN
        RETURN nullif(x -> cypher.text(i, 'the index of a map'), 'null');
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s has no items', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.slice(x jsonb, first bigint, after bigint) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    n bigint := jsonb_array_length(cypher.list(x, 'a range of items'));
BEGIN
    IF first < 0 THEN first := greatest(first + n, 0); END IF;
    IF after < 0 THEN after := after + n; END IF;
    RETURN (SELECT coalesce(jsonb_agg(item ORDER BY i), '[]') FROM jsonb_array_elements(x) WITH ORDINALITY AS e (item, i) WHERE i > first AND i <= after);
END $$;

CREATE OR REPLACE FUNCTION cypher.size(x jsonb) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'string' THEN RETURN char_length(x #>> '{}');
    WHEN 'array' THEN RETURN jsonb_array_length(x);
    WHEN 'object' THEN RETURN (SELECT count(*) FROM jsonb_object_keys(x));
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s has no size', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.reversed(x jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'string' THEN RETURN to_jsonb(reverse(x #>> '{}')); END IF;
    RETURN (SELECT coalesce(jsonb_agg(item ORDER BY i DESC), '[]') FROM jsonb_array_elements(cypher.list(x, 'reverse()')) WITH ORDINALITY AS e (item, i));
END $$;

CREATE OR REPLACE FUNCTION cypher.keys(x jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'object' THEN RETURN (SELECT coalesce(jsonb_agg(k ORDER BY k COLLATE "C"), '[]') FROM jsonb_object_keys(x) AS o (k)); END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s has no keys', cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.properties(x jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(x) = 'object' THEN RETURN x; END IF;
    RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('%s has no properties', cypher.kind(x));
END $$;

CREATE OR REPLACE FUNCTION cypher.every_other(x jsonb, first integer) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(item ORDER BY i), '[]') FROM jsonb_array_elements(x) WITH ORDINALITY AS e (item, i) WHERE i % 2 = first % 2);
END $$;

CREATE OR REPLACE FUNCTION cypher.range(first bigint, last bigint, step bigint) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF step = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = 'the step of range() cannot be 0';
    END IF;
    IF (last::numeric - first) / step > 100000 THEN
        RAISE EXCEPTION USING ERRCODE = 'CY002', MESSAGE = 'range() gives at most 100000 numbers';
    END IF;
    -- A number takes 16 bytes in a list.
    IF (last::numeric - first) / step * 16 > cypher.most() THEN PERFORM cypher.too_large('range() makes a list', cypher.most()); END IF;
    RETURN (SELECT coalesce(jsonb_agg(n), '[]') FROM generate_series(first::numeric, last::numeric, step::numeric) AS n);
END $$;

CREATE OR REPLACE FUNCTION cypher.split(x text, separator text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    parts text[] := CASE WHEN x = '' THEN '{""}' WHEN separator = '' THEN string_to_array(x, NULL) ELSE string_to_array(x, separator) END;
BEGIN
    IF pg_column_size(parts) > cypher.most() THEN PERFORM cypher.too_large('split() makes a list', cypher.most()); END IF;
    RETURN to_jsonb(parts);
END $$;

CREATE OR REPLACE FUNCTION cypher.substring(x text, start bigint, length bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF start < 0 OR length < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = 'the start and the length of a part of a string cannot be negative';
    END IF;
    RETURN substr(x, least(start, 2000000)::integer + 1, least(length, 2000000)::integer);
END $$;

CREATE OR REPLACE FUNCTION cypher.right(x text, length bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF length < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = 'the length of a part of a string cannot be negative';
    END IF;
    RETURN right(x, least(length, 2000000)::integer);
END $$;

-- Conversion: null where a string does not say it.
CREATE OR REPLACE FUNCTION cypher.to_integer(x jsonb) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'number' THEN RETURN trunc(x::numeric)::bigint;
    WHEN 'boolean' THEN RETURN (x::boolean)::integer;
    WHEN 'string' THEN
        RETURN CASE WHEN (x #>> '{}') ~ '^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*$' THEN trunc((x #>> '{}')::numeric)::bigint END;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('toInteger() takes a string or a number; this value is %s', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.to_float(x jsonb) RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'number' THEN RETURN x::double precision;
    WHEN 'string' THEN
        RETURN CASE WHEN (x #>> '{}') ~ '^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*$' THEN (x #>> '{}')::double precision END;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('toFloat() takes a string or a number; this value is %s', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.to_boolean(x jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    CASE jsonb_typeof(x)
    WHEN 'boolean' THEN RETURN x::boolean;
    WHEN 'string' THEN RETURN CASE lower(trim(x #>> '{}')) WHEN 'true' THEN true WHEN 'false' THEN false END;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'CY001', MESSAGE = format('toBoolean() takes a string or a boolean; this value is %s', cypher.kind(x));
    END CASE;
END $$;

CREATE OR REPLACE FUNCTION cypher.text_or_null(x jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE jsonb_typeof(x) WHEN 'string' THEN x #>> '{}' END;
END $$;

CREATE OR REPLACE FUNCTION cypher.sum_step(a jsonb, b jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN cypher.calc(a, '+', b);
END $$;

CREATE OR REPLACE AGGREGATE cypher.min(jsonb) (SFUNC = cypher.lesser, STYPE = jsonb, PARALLEL = SAFE);
CREATE OR REPLACE AGGREGATE cypher.max(jsonb) (SFUNC = cypher.greater, STYPE = jsonb, PARALLEL = SAFE);
CREATE OR REPLACE AGGREGATE cypher.sum(jsonb) (SFUNC = cypher.sum_step, STYPE = jsonb, INITCOND = '0', PARALLEL = SAFE);

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA cypher FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cypher TO @readers@;

-- The most that a statement of a reader may put aside on disk, of sorts and walks.
ALTER ROLE @reader@ IN DATABASE @database@ SET temp_file_limit = '512MB';
