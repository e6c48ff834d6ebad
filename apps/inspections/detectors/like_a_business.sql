-- Residents whose spend on basic food is beyond nearly everybody's, on weekdays by day, in round lots.
WITH purchases AS (
    SELECT resident_ref, at AT TIME ZONE %(zone)s AS local,
           (SELECT sum(a)::bigint FROM unnest(amounts_minor) a) AS amount,
           (SELECT coalesce(sum(l.amount), 0)::bigint FROM unnest(tiers, amounts_minor) l (tier, amount)
            WHERE l.tier = ANY(%(basic)s)) AS basic
    FROM accruals_entry WHERE tax_year = %(year)s AND run > 0 AND kind = 'sale'
), residents AS (
    SELECT resident_ref, count(*) AS purchases, sum(basic) AS basic,
           count(*) FILTER (WHERE extract(isodow FROM local) < 6 AND extract(hour FROM local) BETWEEN 8 AND 17) AS weekday,
           count(*) FILTER (WHERE amount %% nullif(%(round_minor)s, 0) = 0) AS round_lots
    FROM purchases GROUP BY resident_ref
), beyond AS (
    SELECT percentile_disc(least(%(permille)s, 1000) / 1000.0) WITHIN GROUP (ORDER BY basic) AS basic FROM residents
)
SELECT 'resident:' || r.resident_ref || ':' || %(year)s AS key,
       'resident:' || r.resident_ref AS subject,
       r.resident_ref,
       r.basic AS weight,
       jsonb_build_object(
           'basic_minor', r.basic, 'beyond_minor', beyond.basic, 'purchases', r.purchases,
           'weekday_percent', r.weekday * 100 / r.purchases, 'round_percent', r.round_lots * 100 / r.purchases
       ) AS measured,
       shown.terminals, shown.seqs, shown.resident_refs
FROM residents r CROSS JOIN beyond CROSS JOIN LATERAL (
    SELECT array_agg(terminal_id) AS terminals, array_agg(seq) AS seqs, array_agg(resident_ref) AS resident_refs
    FROM (
        SELECT e.terminal_id, e.seq, e.resident_ref FROM accruals_entry e
        WHERE e.resident_ref = r.resident_ref AND e.tax_year = %(year)s AND e.run > 0 AND e.kind = 'sale'
        ORDER BY (SELECT sum(a) FROM unnest(e.amounts_minor) a) DESC, e.terminal_id, e.seq LIMIT %(shown)s) largest
) shown
WHERE r.basic > beyond.basic AND r.purchases >= %(purchases)s
    AND r.weekday * 100 >= r.purchases * %(weekday_percent)s
    AND r.round_lots * 100 >= r.purchases * %(round_percent)s
