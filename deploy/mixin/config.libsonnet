{
  _config+:: {
    // Put before the paths of runbook_url: porwatch serves its own runbooks. As 'https://porwatch.example'.
    porwatchUrl: '',
    // Put before the paths of dashboard_url. As 'https://grafana.example'.
    grafanaUrl: '',
    // Added to every alert, for example { team: 'custody' }. They must not replace severity, category or rule.
    alertLabels: {},
    // Where the dashboards go, for tools that make folders of it.
    grafanaFolder: 'porwatch',
  },
}
