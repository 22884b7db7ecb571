// Charts: a crosshair across all charts of the page, zoom by dragging, series that are switched off, full screen.

// A chart is a `.chart` with its readings as JSON; it holds one drawing for wide windows and one for phones.
let charts=[],cross=null,zoomFrom=null;
const two=n=>String(n).padStart(2,"0");
const local=()=>localStorage.getItem("zone")==="local";
function clock(seconds,withSeconds){
  const d=new Date(seconds*1000);
  const [y,mo,day,h,mi,s]=local()
    ?[d.getFullYear(),d.getMonth(),d.getDate(),d.getHours(),d.getMinutes(),d.getSeconds()]
    :[d.getUTCFullYear(),d.getUTCMonth(),d.getUTCDate(),d.getUTCHours(),d.getUTCMinutes(),d.getUTCSeconds()];
  return `${y}-${two(mo+1)}-${two(day)} ${two(h)}:${two(mi)}${withSeconds?":"+two(s):""}`+(local()?"":" UTC");
}
const drawing=chart=>[...chart.root.querySelectorAll(":scope>svg")].find(svg=>svg.getBoundingClientRect().width>0);
function place(chart){
  const svg=drawing(chart);
  if(!svg)return null;
  const box=svg.getBoundingClientRect(),view=svg.viewBox.baseVal,scale=box.width/view.width;
  const [left,right,top]=chart.data.plot;
  return {svg,box,scale,left:left*scale,width:(view.width-left-right)*scale,top:top*scale,height:box.height-28*scale};
}
function timeAt(chart,x){
  const at=place(chart),{start,end}=chart.data;
  return at?start+Math.min(1,Math.max(0,(x-at.box.left-at.left)/at.width))*(end-start):null;
}
// The value of the bucket that holds the time; none more than a bucket away.
function reading(line,offset){
  let low=0,high=line.times.length-1;
  while(low<high){const middle=(low+high+1)>>1;if(line.times[middle]<=offset)low=middle;else high=middle-1}
  const near=[low,low+1].filter(i=>i<line.times.length).sort((a,b)=>Math.abs(line.times[a]-offset)-Math.abs(line.times[b]-offset))[0];
  return near!==undefined&&Math.abs(line.times[near]-offset)<=line.width?line.values[near]:null;
}
function paint(chart,time){
  const at=place(chart),{start,end,lines}=chart.data;
  const inside=at&&time!==null&&time>=start&&time<=end&&at.box.bottom>-200&&at.box.top<innerHeight+200;
  chart.overlay.hidden=!inside;
  if(!inside)return;
  const x=at.left+(time-start)/(end-start)*at.width;
  Object.assign(chart.rule.style,{left:x+"px",top:at.top+"px",height:at.height+"px"});
  const first=zoomFrom===null?x:at.left+(Math.min(end,Math.max(start,zoomFrom))-start)/(end-start)*at.width;
  Object.assign(chart.band.style,{left:Math.min(x,first)+"px",width:Math.abs(x-first)+"px",top:at.top+"px",height:at.height+"px"});
  const rows=lines.map((line,i)=>[line,i]).filter(([,i])=>!chart.off.has(i)).map(([line])=>[line,reading(line,time-start)]).filter(([,v])=>v!==null);
  const shown=rows.slice(0,8),head=document.createElement("b");
  head.textContent=zoomFrom===null?clock(time,end-start<21600):`${clock(Math.min(zoomFrom,time))} to ${clock(Math.max(zoomFrom,time))}`;
  const cells=shown.map(([line,value])=>{
    const row=document.createElement("span"),mark=document.createElement("i");
    mark.style.background=line.colour;row.append(mark,`${lines.length>1?line.name+" ":""}${value}`);
    return row;
  });
  if(rows.length>shown.length)cells.push(`and ${rows.length-shown.length} more`);
  chart.said.replaceChildren(head,...cells);
  const wide=chart.said.offsetWidth,room=at.box.width;
  chart.said.style.left=Math.max(0,x+12+wide<room?x+12:Math.min(x-12-wide,room-wide))+"px";
  chart.said.style.top=at.top+"px";
}
function move(time){cross=time;for(const chart of charts)paint(chart,time)}
function zoom(first,last){
  const [start,end]=[Math.min(first,last),Math.max(first,last)].map(Math.round);
  zoomFrom=null;
  if(end-start<2){move(cross);return}
  const query=new URLSearchParams(location.search);
  for(const name of ["to","from_ts","to_ts","live"])query.delete(name);
  const least=Math.max(0,60-(end-start))/2;
  query.set("from",`${Math.floor(start-least)}..${Math.ceil(end+least)}`);
  location.search=query;
}
function toggle(chart,index,button){
  const off=!chart.off.delete(index);
  if(off)chart.off.add(index);
  for(const g of chart.root.querySelectorAll(`svg [data-line="${index}"]`))g.style.display=off?"none":"";
  button.setAttribute("aria-pressed",String(!off));
}
function fill(chart){
  const on=chart.frame.classList.toggle("full");
  document.body.classList.toggle("covered",on);
  chart.screen.setAttribute("aria-pressed",String(on));
  const legend=chart.root.querySelector("details.legend");
  if(legend)legend.open=on;
  move(null);
}
const keys={ArrowLeft:-1,ArrowRight:1};
function pressed(chart,event){
  const {start,end,lines}=chart.data;
  if(event.target.closest("summary,button,a,input,select"))return;
  if(event.key in keys){
    const step=Math.max(lines[0].width,(end-start)/200)*keys[event.key];
    if(event.shiftKey&&zoomFrom===null)zoomFrom=cross===null?(start+end)/2:cross;
    move(Math.min(end,Math.max(start,(cross===null?(start+end)/2:cross)+step)));
  }else if(event.key==="Enter"&&zoomFrom!==null)zoom(zoomFrom,cross);
  else if(event.key==="Escape"){
    if(zoomFrom!==null||cross!==null){zoomFrom=null;move(null)}
    else if(chart.frame.classList.contains("full"))fill(chart);
  }else if(event.key==="f"&&!event.ctrlKey&&!event.metaKey)fill(chart);
  else return;
  event.preventDefault();
}
const make=(name,looks,more={})=>Object.assign(document.createElement(name),{className:looks,...more});
function begin(root){
  const chart={root,data:JSON.parse(root.dataset.chart),off:new Set(),frame:root.closest(".widget,.panel")||root};
  chart.overlay=make("div","overlay",{hidden:true});
  chart.rule=make("div","rule");chart.band=make("div","zoomed");
  chart.said=make("div","reading");
  chart.overlay.append(chart.rule,chart.band,chart.said);
  chart.screen=make("button","screen",{type:"button",textContent:"Full screen",title:"f"});
  chart.screen.setAttribute("aria-pressed","false");
  chart.screen.onclick=()=>fill(chart);
  root.append(chart.overlay,chart.screen);
  for(const row of root.querySelectorAll("tr[data-line]")){
    const cell=row.cells[0],button=make("button","series",{type:"button"});
    button.append(...cell.childNodes);cell.append(button);button.setAttribute("aria-pressed","true");
    button.onclick=()=>toggle(chart,Number(row.dataset.line),button);
  }
  const focus=chart.frame.tabIndex>=0?chart.frame:root;
  focus.tabIndex=0;
  focus.addEventListener("keydown",event=>pressed(chart,event));
  focus.addEventListener("focusin",()=>chart.said.setAttribute("role","status"));
  focus.addEventListener("focusout",()=>chart.said.removeAttribute("role"));
  root.addEventListener("pointermove",event=>{if(event.target.closest("svg,.overlay"))move(timeAt(chart,event.clientX))});
  root.addEventListener("pointerleave",()=>{if(zoomFrom===null)move(null)});
  root.addEventListener("pointerdown",event=>{
    if(event.button||event.pointerType==="touch"||!event.target.closest("svg"))return;
    event.preventDefault();focus.focus({preventScroll:true});zoomFrom=timeAt(chart,event.clientX);
    root.setPointerCapture(event.pointerId);
  });
  root.addEventListener("pointerup",event=>{if(zoomFrom!==null)zoom(zoomFrom,timeAt(chart,event.clientX))});
  return chart;
}
function beginCharts(){charts=[...document.querySelectorAll("[data-chart]")].map(begin)}
beginCharts();
addEventListener("resize",()=>move(null));
