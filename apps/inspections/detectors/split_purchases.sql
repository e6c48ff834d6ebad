-- Sales a little below a limit, in groups of one card at one till without a long pause.
WITH near AS (
    SELECT e.resident_ref, e.card, e.terminal_id, e.seq, e.at, paid.amount, near.lim
    FROM accruals_entry e
    CROSS JOIN LATERAL (SELECT sum(a)::bigint AS amount FROM unnest(e.amounts_minor) a) paid
    CROSS JOIN LATERAL (
        SELECT (paid.amount + %(round_minor)s - 1) / %(round_minor)s * %(round_minor)s AS lim
        WHERE paid.amount > 0
            AND (paid.amount + %(round_minor)s - 1) / %(round_minor)s * %(round_minor)s - paid.amount
                <= %(round_minor)s * %(below_percent)s / 100
        UNION
        SELECT l FROM unnest(%(limits)s::bigint[]) l
        WHERE paid.amount <= l AND paid.amount * 100 >= l * (100 - %(below_percent)s)
        ORDER BY 1 LIMIT 1
    ) near
    WHERE e.tax_year = %(year)s AND e.run > 0 AND e.kind = 'sale' AND e.card IS NOT NULL
        AND e.at >= %(since)s AND e.at < %(until)s
), paused AS (
    SELECT *, (at - lag(at) OVER w > %(minutes)s * interval '1 minute') IS NOT FALSE AS is_first FROM near
    WINDOW w AS (PARTITION BY card, terminal_id ORDER BY at, seq)
), grouped AS (
    SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY card, terminal_id ORDER BY at, seq) AS number
    FROM paused
), many AS (
    SELECT card, resident_ref, terminal_id, number, (min(at) AT TIME ZONE %(zone)s)::date AS day, count(*) AS found,
           sum(amount) AS amount_minor, max(lim) AS limit_minor, array_agg(seq ORDER BY at, seq) AS seqs
    FROM grouped GROUP BY card, resident_ref, terminal_id, number HAVING count(*) >= %(purchases)s
)
SELECT DISTINCT ON (card, terminal_id, day)
       'card:' || card || ':' || terminal_id || ':' || day AS key,
       'resident:' || resident_ref AS subject,
       resident_ref,
       amount_minor AS weight,
       jsonb_build_object('found', found, 'amount_minor', amount_minor, 'limit_minor', limit_minor) AS measured,
       array_fill(terminal_id, ARRAY[found::int]) AS terminals,
       seqs,
       array_fill(resident_ref, ARRAY[found::int]) AS resident_refs
FROM many ORDER BY card, terminal_id, day, found DESC
