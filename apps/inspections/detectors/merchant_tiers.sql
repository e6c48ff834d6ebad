-- Each tier's share of a merchant's sales, and how far its log odds are from the median of its trade; the farthest tier.
-- On log odds, a share of all is far from a share of most.
WITH of_tills AS (
    SELECT e.terminal_id, paid.tier, sum(paid.amount) AS sold, count(*) AS purchases
    FROM accruals_entry e CROSS JOIN LATERAL unnest(e.tiers, e.amounts_minor) paid (tier, amount)
    WHERE e.tax_year = %(year)s AND e.run > 0 AND e.kind = 'sale' GROUP BY e.terminal_id, paid.tier
), of_tiers AS (
    SELECT m.id, left(m.trade, 2) AS trade, tier, sum(sold) AS sold,
           sum(sum(sold)) OVER (PARTITION BY m.id) AS sold_in_all, sum(sum(purchases)) OVER (PARTITION BY m.id) AS lines
    FROM of_tills JOIN merchants_terminal t ON t.id = terminal_id JOIN merchants_merchant m ON m.id = t.merchant_id
    WHERE m.trade <> '' GROUP BY m.id, tier
), merchants AS (
    SELECT id, trade, max(sold_in_all) AS sold_in_all FROM of_tiers
    GROUP BY id, trade HAVING max(lines) >= %(least_purchases)s AND max(sold_in_all) > 0
), shares AS (
    SELECT m.id, m.trade, tiers.tier, o.share, ln((o.share + 0.005) / (1.005 - o.share)) AS odds
    FROM merchants m CROSS JOIN (SELECT DISTINCT tier FROM of_tiers) tiers
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(sold), 0) / m.sold_in_all::float8 AS share
        FROM of_tiers o WHERE o.id = m.id AND o.tier = tiers.tier) o
), middles AS (
    SELECT trade, tier, percentile_cont(0.5) WITHIN GROUP (ORDER BY odds) AS median_odds,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY share) AS median, count(*) AS merchants
    FROM shares GROUP BY trade, tier HAVING count(*) >= %(least_merchants)s
), deviations AS (
    SELECT trade, tier,
           greatest(0.1, 1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(odds - median_odds))) AS deviation
    FROM shares JOIN middles USING (trade, tier) GROUP BY trade, tier
), far AS (
    SELECT DISTINCT ON (id) *, abs(odds - median_odds) / deviation AS robust_z
    FROM shares JOIN middles USING (trade, tier) JOIN deviations USING (trade, tier)
    WHERE abs(odds - median_odds) / deviation >= %(robust_z)s
    ORDER BY id, share < median, abs(odds - median_odds) / deviation DESC, tier
)
SELECT 'merchant:' || far.id || ':' || %(year)s AS key,
       'merchant:' || far.id AS subject,
       NULL::uuid AS resident_ref,
       robust_z AS weight,
       jsonb_build_object(
           'tier', tier, 'robust_z', round(robust_z::numeric, 1), 'share_percent', round((share * 100)::numeric, 1),
           'median_percent', round((median * 100)::numeric, 1), 'merchants', merchants) AS measured,
       shown.terminals, shown.seqs, shown.resident_refs
FROM far CROSS JOIN LATERAL (
    SELECT array_agg(terminal_id) AS terminals, array_agg(seq) AS seqs, array_agg(resident_ref) AS resident_refs
    FROM (
        SELECT e.terminal_id, e.seq, e.resident_ref
        FROM merchants_terminal t JOIN accruals_entry e ON e.terminal_id = t.id AND e.tax_year = %(year)s
        WHERE t.merchant_id = far.id AND e.run > 0 AND e.kind = 'sale'
        ORDER BY coalesce(e.amounts_minor[array_position(e.tiers, far.tier)], 0) DESC, e.terminal_id, e.seq
        LIMIT %(shown)s) largest
) shown
