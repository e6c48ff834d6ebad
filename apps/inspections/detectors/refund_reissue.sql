-- What was taken back, and the same amount sold again at that till to another household soon after.
WITH back AS (
    SELECT r.terminal_id, r.seq, r.resident_ref, p.at, -taken.amount AS amount
    FROM accruals_entry r
    CROSS JOIN LATERAL (SELECT sum(a)::bigint AS amount FROM unnest(r.amounts_minor) a) taken
    JOIN purchases_purchase p
        ON p.lane = r.terminal_id %% 64 AND p.terminal_id = r.terminal_id AND p.seq = r.seq AND p.kind = r.kind
    WHERE r.tax_year = %(year)s AND r.run > 0 AND r.kind IN ('return', 'void')
        AND p.at >= %(since)s AND p.at < %(until)s AND -taken.amount >= %(least_minor)s
), again AS (
    SELECT back.*, e.seq AS seq_again, e.resident_ref AS ref_again, e.at AS at_again
    FROM back
    JOIN accruals_entry e
        ON e.tax_year = %(year)s AND e.terminal_id = back.terminal_id
        AND e.seq > back.seq AND e.seq <= back.seq + %(within_records)s
    WHERE e.run > 0 AND e.kind = 'sale' AND e.resident_ref <> back.resident_ref
        AND e.at >= back.at AND e.at <= back.at + %(minutes)s * interval '1 minute'
        AND (SELECT sum(a) FROM unnest(e.amounts_minor) a) = back.amount
        AND NOT EXISTS (
            SELECT FROM residents_membership one JOIN residents_membership other USING (household_ref)
            WHERE one.resident_id = back.resident_ref AND other.resident_id = e.resident_ref
                AND one.valid && other.valid AND one.valid @> (e.at AT TIME ZONE %(zone)s)::date)
)
SELECT 'till:' || terminal_id || ':' || (at AT TIME ZONE %(zone)s)::date AS key,
       'terminal:' || terminal_id AS subject,
       NULL::uuid AS resident_ref,
       sum(amount) AS weight,
       jsonb_build_object('found', count(*), 'amount_minor', sum(amount)) AS measured,
       array_agg(terminal_id) || array_agg(terminal_id) AS terminals,
       array_agg(seq ORDER BY at, seq, seq_again) || array_agg(seq_again ORDER BY at, seq, seq_again) AS seqs,
       array_agg(resident_ref ORDER BY at, seq, seq_again) || array_agg(ref_again ORDER BY at, seq, seq_again)
           AS resident_refs
FROM again
GROUP BY terminal_id, (at AT TIME ZONE %(zone)s)::date HAVING count(*) >= %(pairs)s
