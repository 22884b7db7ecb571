// @datadog/datadog-api-client: submits, queries, creates, changes and deletes; prints what it saw as JSON.
import datadog from "@datadog/datadog-api-client";

const { client, v1, v2 } = datadog;
const configuration = client.createConfiguration({
  baseServer: new client.BaseServerConfiguration(process.argv[2], {}),
  authMethods: { apiKeyAuth: "k", appKeyAuth: "a" },
});
const now = Math.floor(Date.now() / 1000);
const metrics = new v2.MetricsApi(configuration);
const seen = {};

const point = { timestamp: now - 30, value: 4.5 };
const series = { metric: "node.metric", type: 3, points: [point], tags: ["env:p"] };
seen.submitted = (await metrics.submitMetrics({ body: { series: [series] } })).errors;
const log = { message: "from node", service: "s", ddtags: "env:p" };
await new v2.LogsApi(configuration).submitLog({ body: [log] });

const window = { from: now - 600, to: now + 60, query: "avg:node.metric{env:p}" };
seen.queried = (await new v1.MetricsApi(configuration).queryMetrics(window)).series[0].pointlist[0][1];
const query = { dataSource: "metrics", name: "a", query: "avg:node.metric{*}", aggregator: "max" };
const attributes = { from: window.from * 1000, to: window.to * 1000, queries: [query], formulas: [{ formula: "a" }] };
const scalar = await metrics.queryScalarData({ body: { data: { type: "scalar_request", attributes } } });
seen.scalar = scalar.data.attributes.columns[0].values[0];

const monitors = new v1.MonitorsApi(configuration);
const body = { type: "query alert", query: "avg(last_5m):avg:node.metric{*} > 5", name: "n", message: "m" };
const made = await monitors.createMonitor({ body });
seen.created = made.created instanceof Date;
seen.renamed = (await monitors.updateMonitor({ monitorId: made.id, body: { name: "o" } })).name;
seen.listed = (await monitors.listMonitors()).length;
seen.deleted = (await monitors.deleteMonitor({ monitorId: made.id })).deletedMonitorId === made.id;

const boards = new v1.DashboardsApi(configuration);
const widgets = [{ definition: { type: "note", content: "x" } }];
const board = await boards.createDashboard({ body: { title: "t", layoutType: "ordered", widgets } });
seen.board = (await boards.getDashboard({ dashboardId: board.id })).title;
seen.gone = (await boards.deleteDashboard({ dashboardId: board.id })).deletedDashboardId === board.id;
console.log(JSON.stringify(seen));
