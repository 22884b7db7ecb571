// Adds the forwarder of deploy/forwarder.yaml to a service:
//
//   plugins: [serverless-stepscope-forwarder]
//   custom:
//     stepscope: {CodeBucket: MY-CODE, ApiKeySecretArn: !Ref DatadogKey, EnhancedMetrics: all, LogGroupPrefixes: [/aws/lambda/shop-]}
//
// The keys are the template's parameters: docs/forwarder-install.md.
"use strict";

const { Filled, isApiKeyGiven, load } = require("./template");

const PREFIX = "Stepscope";

// Each parameter as JSON Schema; a reference to another resource of the service is an object.
function schemaOf({ Type, AllowedValues }) {
  if (Type === "CommaDelimitedList") return { anyOf: [{ type: "array" }, { type: "string" }] };
  const values = AllowedValues?.flatMap((value) => (["true", "false"].includes(value) ? [value, value === "true"] : [value]));
  if (values) return { enum: values };
  const types = Type === "Number" ? ["number"] : ["string", "number"];
  return { anyOf: [...types, "object"].map((type) => ({ type })) };
}

module.exports = class StepscopeForwarder {
  constructor(serverless) {
    this.serverless = serverless;
    this.template = load();
    const properties = Object.fromEntries(
      Object.entries(this.template.Parameters).map(([name, body]) => [name, schemaOf(body)]),
    );
    serverless.configSchemaHandler.defineCustomProperties({
      type: "object",
      properties: { stepscope: { type: "object", properties, additionalProperties: false, required: ["CodeBucket", "EnhancedMetrics"] } },
    });
    this.hooks = { "before:package:finalize": () => this.add() };
  }

  add() {
    const given = this.serverless.service.custom?.stepscope;
    if (!given) return;
    if (!isApiKeyGiven(given)) {
      throw new this.serverless.classes.Error("custom.stepscope: give ApiKeySecretArn, ApiKeyParameter or ApiKeyCiphertext");
    }
    const filled = new Filled(this.template, given, PREFIX);
    const compiled = this.serverless.service.provider.compiledCloudFormationTemplate;
    Object.assign(compiled.Resources, filled.resources());
    Object.assign(compiled.Outputs, filled.outputs());
  }
};
