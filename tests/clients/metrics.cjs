// datadog-metrics: buffers, flattens histograms, flushes.
const { BufferedMetricsLogger } = require("datadog-metrics");

const logger = new BufferedMetricsLogger({ apiKey: "k", site: `dd.test:${process.argv[2]}`, flushIntervalSeconds: 0 });
logger.gauge("buffered.gauge", 7, ["env:p"]);
logger.increment("buffered.count", 3);
logger.histogram("buffered.histogram", 20);
logger.distribution("buffered.distribution", 5);
logger.flush().then(
  () => console.log(JSON.stringify({ flushed: true })),
  (error) => { console.error(error); process.exit(1); },
);
