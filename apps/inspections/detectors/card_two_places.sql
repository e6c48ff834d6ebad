-- A card's taps one after the other, and how fast somebody would have gone from one till to the next.
WITH taps AS (
    SELECT resident_ref, card, at, terminal_id, seq,
           lag(at) OVER before AS at_before, lag(terminal_id) OVER before AS terminal_before,
           lag(seq) OVER before AS seq_before
    FROM accruals_entry
    WHERE tax_year = %(year)s AND run > 0 AND kind = 'sale' AND card IS NOT NULL
        AND at >= %(since)s AND at < %(until)s
    WINDOW before AS (PARTITION BY card ORDER BY at, terminal_id, seq)
), trips AS (
    SELECT taps.*, extract(epoch FROM at - at_before) / 60 AS minutes,
           CASE WHEN here.latitude IS NOT NULL AND there.latitude IS NOT NULL THEN 2 * 6371 * asin(least(1, sqrt(
               power(sin(radians(there.latitude - here.latitude) / 2), 2)
               + cos(radians(here.latitude)) * cos(radians(there.latitude))
               * power(sin(radians(there.longitude - here.longitude) / 2), 2)))) END AS km,
           left(here.region, 2) <> left(there.region, 2) AND '' NOT IN (here.region, there.region) AS is_elsewhere
    FROM taps
    JOIN merchants_terminal here ON here.id = terminal_before
    JOIN merchants_terminal there ON there.id = terminal_id
    WHERE terminal_id <> terminal_before
), too_fast AS (
    SELECT *, km * 60 / greatest(minutes, 1) AS km_per_hour FROM trips
    WHERE km >= %(least_km)s AND km * 60 / greatest(minutes, 1) > %(km_per_hour)s
        OR km IS NULL AND is_elsewhere AND minutes < %(region_minutes)s
)
SELECT 'card:' || card || ':' || (too_fast.at AT TIME ZONE %(zone)s)::date AS key,
       'resident:' || resident_ref AS subject,
       resident_ref,
       coalesce(max(km_per_hour), 0) AS weight,
       jsonb_strip_nulls(jsonb_build_object(
           'km_per_hour', round(max(km_per_hour)), 'km', round(max(km)), 'minutes', round(min(minutes)))) AS measured,
       array_agg(tap.terminal_id ORDER BY tap.at, tap.seq) AS terminals,
       array_agg(tap.seq ORDER BY tap.at, tap.seq) AS seqs,
       array_agg(resident_ref) AS resident_refs
FROM too_fast, LATERAL (VALUES (terminal_before, seq_before, at_before), (terminal_id, seq, at)) tap (terminal_id, seq, at)
GROUP BY resident_ref, card, (too_fast.at AT TIME ZONE %(zone)s)::date
