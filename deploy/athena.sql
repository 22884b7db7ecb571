-- The Parquet files of `stepscope replay` and deploy/replay.yaml as a table of Athena. Replace RESULT-BUCKET/PREFIX.
-- Partitions are projected, so none has to be added: a query names its metrics, and may name its days.
--   SELECT timestamp, value FROM stepscope_points WHERE metric = 'shop.orders' AND day >= '2026-11-01'
CREATE EXTERNAL TABLE stepscope_points (
  `timestamp` double,
  `value` double,
  `type` string,
  `tags` array<string>,
  `source` bigint
)
PARTITIONED BY (`day` string, `metric` string)
STORED AS PARQUET
LOCATION 's3://RESULT-BUCKET/PREFIX/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2020-01-01,NOW+1DAY',
  'projection.metric.type' = 'injected',
  'storage.location.template' = 's3://RESULT-BUCKET/PREFIX/day=${day}/metric=${metric}/'
);
