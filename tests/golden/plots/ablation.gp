# Made by nab. Draw again with: gnuplot 'ablation.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal svg size 529,181 dynamic noenhanced font 'Helvetica,12' background rgb 'white'
set output 'ablation.svg'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.1923
set rmargin at screen 0.9643
set bmargin at screen 0.3125
set tmargin at screen 0.9375
set label 1 'change of accuracy without it, percentage points (95 % interval)' at screen 0.5783, screen 0.0833 center
unset key
unset grid
set grid xtics lt 1 lw 0.7 lc rgb '#e4e7ec'
set border 1
set ytics scale 0
set yrange [3.7:-0.7]
set offsets graph 0.04, graph 0.04, 0, 0
set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw 1 lc rgb '#667085'
plot 'ablation.dat' index 0 using 1:4:2:3 with xerrorbars pt 7 ps 0.8 lw 1.5 lc rgb '#2f6db5' title 'reliable interval', \
     'ablation.dat' index 1 using 1:4:2:3 with xerrorbars pt 6 ps 0.8 lw 1.5 lc rgb '#2f6db5' title 'doubtful interval', \
     'ablation.dat' index 2 using (0):1:ytic(2) with lines lt nodraw notitle
