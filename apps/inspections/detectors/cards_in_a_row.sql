-- Runs of sales at a till with hardly a pause; of each day the one with the most cards.
WITH paused AS (
    SELECT terminal_id, seq, at, card, resident_ref,
           (at - lag(at) OVER w > %(gap_s)s * interval '1 second') IS NOT FALSE AS is_first
    FROM accruals_entry
    WHERE tax_year = %(year)s AND run > 0 AND kind = 'sale' AND card IS NOT NULL
        AND at >= %(since)s AND at < %(until)s
    WINDOW w AS (PARTITION BY terminal_id ORDER BY at, seq)
), numbered AS (
    SELECT *, count(*) FILTER (WHERE is_first) OVER (PARTITION BY terminal_id ORDER BY at, seq) AS number FROM paused
), many AS (
    SELECT terminal_id, number, (min(at) AT TIME ZONE %(zone)s)::date AS day, count(DISTINCT card) AS cards,
           extract(epoch FROM max(at) - min(at)) / (count(*) - 1) AS mean_gap_s,
           array_agg(terminal_id) AS terminals, array_agg(seq ORDER BY at, seq) AS seqs,
           array_agg(resident_ref ORDER BY at, seq) AS resident_refs
    FROM numbered GROUP BY terminal_id, number
    HAVING count(*) >= greatest(%(cards)s, 2) AND count(DISTINCT card) >= %(cards)s
)
SELECT DISTINCT ON (terminal_id, day)
       'till:' || terminal_id || ':' || day AS key,
       'terminal:' || terminal_id AS subject,
       NULL::uuid AS resident_ref,
       cards AS weight,
       jsonb_build_object('found', cards, 'mean_gap_s', round(mean_gap_s)) AS measured,
       terminals, seqs, resident_refs
FROM many ORDER BY terminal_id, day, cards DESC
