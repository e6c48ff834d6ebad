-- Of each merchant's sales, what share was taken back; and how far that is from the median of its trade.
WITH of_tills AS (
    SELECT e.terminal_id, sum(paid.amount) FILTER (WHERE e.kind = 'sale') AS sold,
           -sum(paid.amount) FILTER (WHERE e.kind IN ('return', 'void')) AS taken_back,
           count(*) FILTER (WHERE e.kind = 'sale') AS purchases
    FROM accruals_entry e CROSS JOIN LATERAL (SELECT sum(a)::bigint AS amount FROM unnest(e.amounts_minor) a) paid
    WHERE e.tax_year = %(year)s AND e.run > 0 GROUP BY e.terminal_id
), of_merchants AS (
    SELECT m.id, left(m.trade, 2) AS trade, coalesce(sum(taken_back), 0) / sum(sold)::float8 AS share
    FROM of_tills JOIN merchants_terminal t ON t.id = terminal_id JOIN merchants_merchant m ON m.id = t.merchant_id
    WHERE m.trade <> '' GROUP BY m.id HAVING sum(purchases) >= %(least_purchases)s AND sum(sold) > 0
), middles AS (
    SELECT trade, percentile_cont(0.5) WITHIN GROUP (ORDER BY share) AS median, count(*) AS merchants
    FROM of_merchants GROUP BY trade HAVING count(*) >= %(least_merchants)s
), deviations AS (
    SELECT trade, greatest(0.01, 1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(share - median))) AS deviation
    FROM of_merchants JOIN middles USING (trade) GROUP BY trade
), far AS (
    SELECT *, (share - median) / deviation AS robust_z
    FROM of_merchants JOIN middles USING (trade) JOIN deviations USING (trade)
    WHERE (share - median) / deviation >= %(robust_z)s
)
SELECT 'merchant:' || far.id || ':' || %(year)s AS key,
       'merchant:' || far.id AS subject,
       NULL::uuid AS resident_ref,
       robust_z AS weight,
       jsonb_build_object(
           'robust_z', round(robust_z::numeric, 1), 'share_percent', round((share * 100)::numeric, 1),
           'median_percent', round((median * 100)::numeric, 1), 'merchants', merchants) AS measured,
       shown.terminals, shown.seqs, shown.resident_refs
FROM far CROSS JOIN LATERAL (
    SELECT array_agg(terminal_id) AS terminals, array_agg(seq) AS seqs, array_agg(resident_ref) AS resident_refs
    FROM (
        SELECT e.terminal_id, e.seq, e.resident_ref
        FROM merchants_terminal t JOIN accruals_entry e ON e.terminal_id = t.id AND e.tax_year = %(year)s
        WHERE t.merchant_id = far.id AND e.run > 0 AND e.kind IN ('return', 'void')
        ORDER BY (SELECT sum(a) FROM unnest(e.amounts_minor) a), e.terminal_id, e.seq LIMIT %(shown)s) largest
) shown
