// Clients that only speak to https://…SITE find this machine under a name of the tests.
const dns = require("dns");
const lookup = dns.lookup;
dns.lookup = (name, options, callback) => {
  if (!name.endsWith("dd.test")) return lookup(name, options, callback);
  const done = typeof options === "function" ? options : callback;
  const all = typeof options === "object" && options && options.all;
  return all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
};
