// dogapi: keys in the query string, https only.
const dogapi = require("dogapi");

dogapi.initialize({ api_key: "k", app_key: "a", api_host: "api.dd.test" });
dogapi.client.http_options = { port: Number(process.argv[2]) };
const call = (object, method, ...given) =>
  new Promise((resolve, reject) => {
    object[method](...given, (error, result) => (error ? reject(error) : resolve(result)));
  });

async function main() {
  const seen = {};
  const now = Math.floor(Date.now() / 1000);
  seen.sent = (await call(dogapi.metric, "send", "dogapi.metric", 9, { tags: ["env:p"] })).status;
  seen.queried = (await call(dogapi.metric, "query", now - 600, now + 60, "avg:dogapi.metric{*}")).series.length;
  const query = "avg(last_5m):avg:dogapi.metric{*} > 5";
  const made = await call(dogapi.monitor, "create", "query alert", query, { name: "n" });
  seen.renamed = (await call(dogapi.monitor, "update", made.id, query, { name: "o" })).name;
  seen.deleted = (await call(dogapi.monitor, "remove", made.id)).deleted_monitor_id === made.id;
  const event = await call(dogapi.event, "create", "title", "text", { tags: ["env:p"] });
  seen.event = event.event.title;
  console.log(JSON.stringify(seen));
}
main().catch((error) => { console.error(error); process.exit(1); });
