// Draws one committed dashboard with Grafana's own panels: ?dashboard=UID&from=SECONDS&to=SECONDS&theme=dark|light
// The server that hands this out also answers /dashboards/UID.json and /prom/… (see tools/grafana_pictures.py).
import { createRoot } from 'react-dom/client';
import {
  ThemeContext,
  createTheme,
  dateTime,
  getDisplayProcessor,
  getFieldSeriesColor,
  toDataFrame,
} from '@grafana/data';
import * as ui from '@grafana/ui';

const { BarGauge, BigValue, GlobalStyles, PanelChrome, PortalContainer, Table, TimeSeries, VizRepeater } = ui;
const params = new URLSearchParams(location.search);
const from = Number(params.get('from'));
const to = Number(params.get('to'));
const theme = createTheme({ colors: { mode: params.get('theme') ?? 'dark' } });
const COLUMN = () => (innerWidth - 16) / 24;
const ROW = 38;
const VARIABLES = { $job: '.+', $instance: '.+', $__rate_interval: '10s', $__range: `${Math.ceil(to - from)}s` };

const named = (legend, labels) => legend.replace(/{{\s*(\w+)\s*}}/g, (_, label) => labels[label] ?? '').trim();

async function series(target) {
  let expr = target.expr;
  for (const [name, value] of Object.entries(VARIABLES)) expr = expr.replaceAll(name, value);
  const step = Math.max(1, Math.floor((to - from) / 300));
  const query = target.instant
    ? `/prom/api/v1/query?${new URLSearchParams({ query: expr, time: to })}`
    : `/prom/api/v1/query_range?${new URLSearchParams({ query: expr, start: from, end: to, step })}`;
  const answer = await (await fetch(query)).json();
  if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
  return answer.data.result;
}

// What a panel says about fields of this name; ids have a point where they lie deeper.
function overridden(panel, config, name) {
  const result = { ...config, custom: { ...config.custom } };
  for (const { matcher, properties } of panel.fieldConfig.overrides) {
    if (matcher.options !== name) continue;
    for (const { id, value } of properties) {
      if (id.startsWith('custom.')) result.custom[id.slice(7)] = value;
      else result[id] = value;
    }
  }
  return result;
}

function prepared(field, config, index, name) {
  field.config = { ...config, displayName: name };
  field.state = { seriesIndex: index, displayName: name };
  field.display = getDisplayProcessor({ field, theme });
  return field;
}

async function frames(panel) {
  const defaults = panel.fieldConfig.defaults;
  const found = [];
  for (const target of panel.targets) {
    for (const one of await series(target)) {
      const frame = toDataFrame({
        refId: target.refId,
        fields: [
          { name: 'Time', type: 'time', values: one.values.map(([at]) => at * 1000), config: {} },
          { name: 'Value', type: 'number', labels: one.metric, values: one.values.map(([, v]) => Number(v)), config: {} },
        ],
      });
      const name = target.legendFormat ? named(target.legendFormat, one.metric) : panel.title;
      prepared(frame.fields[1], overridden(panel, defaults, name), found.length, name);
      frame.name = name;
      found.push(frame);
    }
  }
  return found;
}

async function table(panel) {
  const rows = await series(panel.targets[0]);
  const { indexByName, renameByName } = panel.transformations[0].options;
  const names = Object.keys(indexByName).sort((a, b) => indexByName[a] - indexByName[b]);
  rows.sort((a, b) => Number(b.value[1]) - Number(a.value[1]));
  const frame = toDataFrame({
    fields: names.map((name) => ({
      name: renameByName[name],
      type: name === 'Value' ? 'number' : 'string',
      values: rows.map((row) => (name === 'Value' ? Number(row.value[1]) : row.metric[name] ?? '')),
      config: {},
    })),
  });
  frame.fields.forEach((field, index) => {
    const { custom, ...values } = panel.fieldConfig.defaults;
    const config = field.type === 'number' ? { custom, ...values } : { custom };
    prepared(field, overridden(panel, config, field.name), index, field.name);
  });
  return frame;
}

const last = (frame) => {
  const field = frame.fields[1];
  const value = field.values[field.values.length - 1];
  const shown = field.display(value);
  const color = field.config.color?.mode === 'palette-classic' ? getFieldSeriesColor(field, theme).color : shown.color;
  return { ...shown, color, title: frame.name, field };
};

function Body({ panel, data, width, height }) {
  if (panel.type === 'timeseries') {
    const range = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
    return (
      <TimeSeries
        frames={data}
        timeRange={{ ...range, raw: range }}
        timeZone="utc"
        width={width}
        height={height}
        legend={panel.options.legend}
        replaceVariables={(text) => text}
      />
    );
  }
  if (panel.type === 'table') return <Table data={data} width={width} height={height} columnMinWidth={70} />;
  const values = data.map(last);
  const most = Math.max(1, ...values.map((value) => value.numeric));
  const single = values.length === 1;
  const drawn = ({ value, width, height }) =>
    panel.type === 'stat' ? (
      <BigValue
        value={single && panel.options.textMode === 'value' ? { ...value, title: undefined } : value}
        width={width}
        height={height}
        theme={theme}
        colorMode={panel.options.colorMode}
        graphMode="none"
        justifyMode={panel.options.justifyMode}
        textMode={panel.options.textMode}
      />
    ) : (
      <BarGauge
        value={value}
        field={{ ...value.field.config, min: 0, max: most }}
        display={value.field.display}
        width={width}
        height={height}
        theme={theme}
        orientation="horizontal"
        displayMode={panel.options.displayMode}
        showUnfilled
        itemSpacing={8}
        alignmentFactors={{ title: 'within 0.25 s', text: '0000' }}
      />
    );
  return (
    <VizRepeater
      source={data}
      width={width}
      height={height}
      itemSpacing={8}
      minVizHeight={16}
      minVizWidth={8}
      orientation={panel.type === 'stat' ? 'auto' : 'horizontal'}
      getAlignmentFactors={() => ({})}
      getValues={() => values}
      renderValue={drawn}
      renderCounter={0}
      autoGrid={panel.type === 'stat'}
    />
  );
}

function Dashboard({ dashboard, filled }) {
  const height = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW;
  return (
    <div className="grid" style={{ height }}>
      {dashboard.panels.map((panel) => {
        const { x, y, w, h } = panel.gridPos;
        const place = { left: x * COLUMN(), top: y * ROW, width: w * COLUMN(), height: h * ROW };
        return (
          <div className="panel" key={panel.id} style={place}>
            <PanelChrome title={panel.title} width={place.width - 8} height={place.height - 8}>
              {(width, height) => <Body panel={panel} data={filled[panel.id]} width={width} height={height} />}
            </PanelChrome>
          </div>
        );
      })}
    </div>
  );
}

async function draw() {
  const dashboard = await (await fetch(`/dashboards/${params.get('dashboard')}.json`)).json();
  const filled = {};
  for (const panel of dashboard.panels) {
    filled[panel.id] = await (panel.type === 'table' ? table(panel) : frames(panel));
  }
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      {GlobalStyles && <GlobalStyles />}
      <Dashboard dashboard={dashboard} filled={filled} />
      <PortalContainer />
    </ThemeContext.Provider>
  );
  setTimeout(() => document.body.setAttribute('data-drawn', 'yes'), 1500);
}

draw().catch((error) => {
  document.body.innerText = `${error.message}\n${error.stack}`;
  document.body.setAttribute('data-drawn', 'no');
});
