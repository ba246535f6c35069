// A monitoring mixin (monitoring.mixins.dev): alerts and dashboards of porwatch, nothing else, all fields hidden.
// Vendor the folder `deploy`, because the dashboards lie beside this one:
//   local porwatch = (import 'deploy/mixin/mixin.libsonnet') + { _config+:: { grafanaUrl: 'https://grafana.example' } };
//   porwatch.prometheusAlerts
(import 'config.libsonnet') + {
  local config = self._config,

  local fixed = ['severity', 'category', 'rule'],
  local finished(rule) = rule {
    assert std.setInter(std.set(fixed), std.set(std.objectFields(config.alertLabels))) == [] :
           'alertLabels must not replace severity, category or rule: the routing needs them',
    labels+: config.alertLabels,
    annotations+: {
      runbook_url: config.porwatchUrl + super.runbook_url,
      dashboard_url: config.grafanaUrl + super.dashboard_url,
    },
  },

  prometheusAlerts+:: {
    groups: [
      group { rules: [finished(rule) for rule in group.rules] }
      for group in (import 'alerts.libsonnet').groups
    ],
  },

  // No recording rules: every figure that an alert or a panel needs is exported by porwatch as it is.
  prometheusRules+:: { groups: [] },

  grafanaDashboardFolder:: config.grafanaFolder,
  grafanaDashboards+:: {
    'porwatch-wall.json': import '../grafana/dashboards/porwatch-wall.json',
    'porwatch-security.json': import '../grafana/dashboards/porwatch-security.json',
    'porwatch-regulator.json': import '../grafana/dashboards/porwatch-regulator.json',
    'porwatch-operations.json': import '../grafana/dashboards/porwatch-operations.json',
  },
}
