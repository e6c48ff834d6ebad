-- What each household spent per head beside others of its size; whoever has no household is one of its own.
WITH spent AS (
    SELECT resident_ref, sum(a)::bigint AS amount
    FROM accruals_total CROSS JOIN LATERAL unnest(amounts_minor) a
    WHERE tax_year = %(year)s AND run > 0 AND tier <> '' GROUP BY resident_ref
), members AS (
    SELECT DISTINCT ON (resident_id) resident_id, household_ref
    FROM residents_membership
    WHERE valid && daterange(make_date(%(year)s, 1, 1), make_date(%(year)s + 1, 1, 1))
    ORDER BY resident_id, lower(valid) DESC
), heads AS (
    SELECT household_ref, count(*) AS members FROM members GROUP BY household_ref
), households AS (
    SELECT coalesce(m.household_ref, s.resident_ref) AS household_ref, coalesce(max(h.members), 1) AS members,
           sum(amount) / coalesce(max(h.members), 1) AS per_head,
           array_agg(s.resident_ref ORDER BY amount DESC, s.resident_ref) AS refs
    FROM spent s LEFT JOIN members m ON m.resident_id = s.resident_ref LEFT JOIN heads h USING (household_ref)
    GROUP BY 1 HAVING sum(amount) > 0
), sized AS (
    SELECT *, least(members, 6) AS size, ln(per_head::float8) AS spend FROM households WHERE per_head >= 1
), middles AS (
    SELECT size, percentile_cont(0.5) WITHIN GROUP (ORDER BY spend) AS median
    FROM sized GROUP BY size HAVING count(*) >= %(least_households)s
), deviations AS (
    SELECT size, greatest(0.1, 1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(spend - median))) AS deviation
    FROM sized JOIN middles USING (size) GROUP BY size
), far AS (
    SELECT *, (spend - median) / deviation AS robust_z
    FROM sized JOIN middles USING (size) JOIN deviations USING (size)
    WHERE (spend - median) / deviation >= %(robust_z)s AND spend - median >= ln(greatest(%(times_median)s, 1))
)
SELECT 'household:' || household_ref || ':' || %(year)s AS key,
       'resident:' || refs[1] AS subject,
       refs[1] AS resident_ref,
       robust_z AS weight,
       jsonb_build_object(
           'robust_z', round(robust_z::numeric, 1), 'times_median', round(exp(spend - median)::numeric, 1),
           'members', members, 'per_head_minor', round(per_head), 'median_minor', round(exp(median))) AS measured,
       shown.terminals, shown.seqs, shown.resident_refs
FROM far CROSS JOIN LATERAL (
    SELECT array_agg(terminal_id) AS terminals, array_agg(seq) AS seqs, array_agg(resident_ref) AS resident_refs
    FROM (
        SELECT e.terminal_id, e.seq, e.resident_ref FROM accruals_entry e
        WHERE e.resident_ref = ANY(far.refs) AND e.tax_year = %(year)s AND e.run > 0 AND e.kind = 'sale'
        ORDER BY (SELECT sum(a) FROM unnest(e.amounts_minor) a) DESC, e.terminal_id, e.seq LIMIT %(shown)s) largest
) shown
