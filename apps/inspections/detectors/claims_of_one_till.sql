-- Sales without a card that one resident claimed of one till, month by month.
SELECT 'claims:' || resident_ref || ':' || terminal_id || ':' || %(year)s || '-' || month AS key,
       'resident:' || resident_ref AS subject,
       resident_ref,
       count(*) AS weight,
       jsonb_build_object('found', count(*), 'amount_minor', sum(paid.amount)) AS measured,
       array_agg(terminal_id ORDER BY at, seq) AS terminals,
       array_agg(seq ORDER BY at, seq) AS seqs,
       array_agg(resident_ref) AS resident_refs
FROM accruals_entry CROSS JOIN LATERAL (SELECT sum(a)::bigint AS amount FROM unnest(amounts_minor) a) paid
WHERE tax_year = %(year)s AND run > 0 AND kind = 'sale' AND card IS NULL
GROUP BY resident_ref, terminal_id, month HAVING count(*) >= %(claims)s
