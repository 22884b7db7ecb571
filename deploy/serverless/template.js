// The forwarder's template with its parameters filled in: what is left are resources and outputs, each name with a prefix.
"use strict";

const fs = require("fs");
const path = require("path");
const yaml = require("js-yaml");

const TAGS = ["Condition", "Equals", "GetAtt", "If", "Join", "Not", "Or", "Ref", "Split", "Sub"];

function load() {
  const own = path.join(__dirname, "forwarder.yaml"); // in the npm package; in the repository it is one folder up
  const file = fs.existsSync(own) ? own : path.join(__dirname, "..", "forwarder.yaml");
  const types = TAGS.flatMap((tag) => ["scalar", "sequence"].map((kind) => new yaml.Type(`!${tag}`, {
    kind,
    construct: (data) => ({
      [tag === "Ref" || tag === "Condition" ? tag : `Fn::${tag}`]: tag === "GetAtt" ? data.split(/\.(.*)/s).slice(0, 2) : data,
    }),
  })));
  return yaml.load(fs.readFileSync(file, "utf8"), { schema: yaml.DEFAULT_SCHEMA.extend(types) });
}

// The value of each parameter: as given, else the template's default. Lists are lists, true is "true".
function valuesOf(parameters, given) {
  const entries = Object.entries(parameters).map(([name, { Type, Default }]) => {
    const value = given[name] ?? Default;
    if (value === undefined) throw new Error(`custom.stepscope.${name} is missing: docs/forwarder-install.md says what it is`);
    if (Type === "CommaDelimitedList") return [name, value === "" ? [] : [value].flat()];
    return [name, typeof value === "boolean" ? String(value) : value];
  });
  return Object.fromEntries(entries);
}

class Filled {
  constructor(template, given, prefix) {
    this.template = template;
    this.values = valuesOf(template.Parameters, given);
    this.prefix = prefix;
  }

  resources() {
    const rows = Object.entries(this.template.Resources).filter(([, body]) => this.holds(body.Condition));
    return Object.fromEntries(rows.map(([name, { Condition, DependsOn, ...body }]) => {
      const after = DependsOn ? { DependsOn: [DependsOn].flat().map((other) => this.prefix + other) } : {};
      return [this.prefix + name, { ...this.fill(body), ...after }];
    }));
  }

  outputs() {
    const rows = Object.entries(this.template.Outputs).filter(([, body]) => this.holds(body.Condition));
    return Object.fromEntries(rows.map(([name, { Condition, ...body }]) => [this.prefix + name, this.fill(body)]));
  }

  holds(condition) {
    return condition === undefined || this.test(this.template.Conditions[condition]);
  }

  test(expression) {
    const [[name, operands]] = Object.entries(expression);
    if (name === "Fn::Not") return !this.test(operands[0]);
    if (name === "Fn::Or") return operands.some((operand) => this.test(operand));
    if (name !== "Fn::Equals") throw new Error(`forwarder.yaml: ${name} is not evaluated in conditions`);
    const [left, right] = operands.map((operand) => this.plain(this.fill(operand)));
    return left === right;
  }

  // A list joined, a number as a text; a reference to another resource is none of the texts that conditions compare with.
  plain(value) {
    const joined = value?.["Fn::Join"];
    if (joined && joined[1].every((part) => typeof part !== "object")) return joined[1].join(joined[0]);
    return typeof value === "number" ? String(value) : value;
  }

  fill(value) {
    if (Array.isArray(value)) return value.map((item) => this.fill(item));
    if (value === null || typeof value !== "object") return value;
    if ("Ref" in value) return this.reference(value.Ref);
    if ("Fn::GetAtt" in value) return { "Fn::GetAtt": [this.prefix + value["Fn::GetAtt"][0], value["Fn::GetAtt"][1]] };
    if ("Fn::If" in value) {
      const [condition, yes, no] = value["Fn::If"];
      return this.fill(this.holds(condition) ? yes : no);
    }
    if ("Fn::Sub" in value) return this.substitute(...[value["Fn::Sub"]].flat());
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.fill(item)]));
  }

  reference(name) {
    if (name in this.values) return this.values[name];
    return { Ref: name.startsWith("AWS::") ? name : this.prefix + name };
  }

  substitute(text, variables = {}) {
    const more = this.fill(variables);
    const filled = text.replace(/\$\{([\w:]+)(\.[\w.]+)?\}/g, (whole, name, attribute = "") => {
      if (name.startsWith("AWS::") || name in variables) return whole;
      if (!(name in this.values)) return `\${${this.prefix}${name}${attribute}}`;
      if (typeof this.values[name] !== "object") return this.values[name];
      more[name] = this.values[name];
      return whole;
    });
    return { "Fn::Sub": Object.keys(more).length ? [filled, more] : filled };
  }
}

function isApiKeyGiven(given) {
  return ["ApiKeySecretArn", "ApiKeyParameter", "ApiKeyCiphertext"].some((name) => given[name]);
}

module.exports = { Filled, isApiKeyGiven, load };
